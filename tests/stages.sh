# SPDX-License-Identifier: Apache-2.0
# The stages of ./test. Each is a function stage_<name> that calls `report PASSED FAILED` as its last act; one that dies before
# counts as failed. What failed goes into $results/$stage.failed, a line each, which ./test shows at its end. $root, $results (a scratch
# directory) and $quick are set.

report() {
	echo "$1 $2" >"$results/$stage.count"
}

# report_junit FILE…: adds up what pytest wrote.
report_junit() {
	report $(/usr/bin/python3 - "$results/$stage.failed" "$@" <<-'END'
		import sys, xml.etree.ElementTree as tree
		passed = failed = skipped = 0
		reasons = open(sys.argv[1], "w")
		for path in sys.argv[2:]:
		    for suite in tree.parse(path).iter("testsuite"):
		        bad, away = int(suite.get("failures", 0)) + int(suite.get("errors", 0)), int(suite.get("skipped", 0))
		        for case in suite.iter("testcase"):
		            for reason in case.findall("failure") + case.findall("error"):
		                words = " ".join((reason.get("message") or "").split())[:300]
		                print(f"{case.get('classname')}.{case.get('name')}: {words}", file=reasons)
		        failed, skipped, passed = failed + bad, skipped + away, passed + int(suite.get("tests", 0)) - bad - away
		if skipped:
		    print(f"{skipped} skipped", file=sys.stderr)
		print(passed, failed)
	END
	)
}

# meson_test TREE: runs its tests and reports them; what failed is shown. Half of their time they wait for something: two a core.
meson_test() {
	local log=$results/$stage.log
	meson test -C "$root/$1" --no-rebuild --num-processes $((2 * $(nproc))) --print-errorlogs --timeout-multiplier 5 2>&1 | tee "$log" | grep -vE ' OK +[0-9.]+s|^\[( RUN|       OK)'
	awk '/^ *[0-9]+\/[0-9]+ .* (FAIL|TIMEOUT|ERROR|UNEXPECTEDPASS) |^ERROR: |^\[  ERROR / && !seen[$0]++' "$log" >"$results/$stage.failed"
	report $(awk '
		/^(Ok|Expected Fail):/ { passed += $NF }
		/^(Fail|Unexpected Pass|Timeout):/ { failed += $NF }
		/^Skipped:/ && $NF > 0 { print $NF " skipped" > "/dev/stderr" }
		/^Ok:/ { seen = 1 }
		END { print passed + 0, seen ? failed + 0 : 1 }' "$log")
}

stage_packages() {
	install_packages && report 1 0
}

stage_build() {
	build_tree build && report 1 0
}

# One line per check; the first that fails does not hide the others.
stage_check() {
	local passed=0 failed=0 check
	for check in includes style links coverage; do
		if "$root/tests/check/$check.py" $([ $check = coverage ] && echo --check); then
			passed=$((passed + 1))
		else
			say "check $check failed" | tee -a "$results/$stage.checks"
			failed=$((failed + 1))
		fi
	done
	/usr/bin/python3 -m pytest -q -p no:cacheprovider --junitxml="$results/check.xml" "$root/tests/check"
	report_junit "$results/check.xml"
	read -r more_passed more_failed <"$results/$stage.count"
	report $((passed + more_passed)) $((failed + more_failed))
	cat "$results/$stage.checks" >>"$results/$stage.failed" 2>/dev/null || true
}

stage_format() {
	if [ "$fix" = 1 ]; then
		git -c safe.directory='*' -C "$root" ls-files -z '*.c' '*.h' | (cd "$root" && xargs -0 clang-format -i) && report 1 0
	else
		"$root/tests/check/style.py" --format && report 1 0
	fi
}

stage_unit() {
	meson_test build
}

# The same tests under AddressSanitizer (with leaks) and UndefinedBehaviorSanitizer.
stage_sanitize() {
	build_tree build-asan -Db_sanitize=address,undefined -Db_lundef=false || return 1
	export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
	export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	meson_test build-asan
}

# fuzz_one TARGET SECONDS: a line and, on a finding, the end of its log.
fuzz_one() {
	local noun=${1##*/fuzz_} scratch
	scratch=$results/fuzz/${1##*/fuzz_}
	mkdir -p "$scratch/new" "$root/tests/fuzz/corpus/$noun"
	if timeout -k 10 $(($2 + 60)) "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$scratch/" "$scratch/new" "$root/tests/fuzz/corpus/$noun" >"$scratch/log" 2>&1; then
		say "fuzz $noun: $(awk '/number_of_executed_units/ { print $2 }' "$scratch/log") runs"
		touch "$scratch/passed"
	else
		say "fuzz $noun: FOUND"
		say "fuzz $noun: $(grep -m 1 -a '^SUMMARY: ' "$scratch/log" || tail -n 1 "$scratch/log")" >>"$results/fuzz.failed"
		tail -n 40 "$scratch/log"
		find "$scratch" -maxdepth 1 -type f -name '*-*' -exec sh -c 'echo "$1:"; base64 -w0 "$1" | head -c 4000; echo' _ {} \;
	fi
	rmdir "$root/tests/fuzz/corpus/$noun" 2>/dev/null || true
}

# Two at a time: there are two cores.
stage_fuzz() {
	local seconds=${VIADUCT_FUZZ_SECONDS:-20} targets
	[ "$quick" = 1 ] && seconds=5
	CC=clang setup_tree build-fuzz -Dfuzz=true -Db_lundef=false \
		-Dc_args='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
		-Dc_link_args='-fsanitize=address,undefined' && ninja --quiet -C "$root/build-fuzz" fuzz || return 1
	mapfile -t targets < <(find "$root/build-fuzz/tests/fuzz" -maxdepth 1 -type f -name 'fuzz_*' -executable | sort)
	export -f fuzz_one say
	export results root
	printf '%s\0' "${targets[@]}" | xargs -0 -P 2 -I '{}' bash -c 'fuzz_one "$1" "$2"' _ '{}' "$seconds"
	local passed
	passed=$(find "$results/fuzz" -name passed | wc -l)
	report "$passed" $((${#targets[@]} - passed))
}

stage_e2e() {
	/usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --durations=15 $([ "$quick" = 1 ] && echo -m 'not slow') \
		--junitxml="$results/e2e.xml" "$root/tests/e2e"
	report_junit "$results/e2e.xml"
}

# Its lines: "PASS what" and "FAIL what".
stage_kernel61() {
	local log=$results/kernel61.log
	"$root/tests/kernel61/run" 2>&1 | tee "$log"
	grep '^FAIL ' "$log" >"$results/$stage.failed"
	report $(grep -c '^PASS ' "$log") $(grep -c '^FAIL ' "$log")
	[ -n "$(grep '^PASS ' "$log")" ]
}

# That every benchmark still runs; its figures mean nothing here.
stage_bench() {
	"$root/bench/run" --smoke --json "$results/bench.json" && report 1 0
}
