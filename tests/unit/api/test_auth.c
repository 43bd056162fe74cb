/* SPDX-License-Identifier: Apache-2.0 */
/* Who may ask: over TCP a token or a client certificate, on the socket root and the group. */
#include "api/auth.h"
#include "fixture.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct keys {
	struct fixture *fixture;
	char listen[32], server[48], tokens[64], good[64], bad[64];
	char ca[64], cert[64], key[64], client_cert[64], client_key[64], stranger_cert[64], stranger_key[64];
};

static void file_write(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

/* A CA, what it signed for the server and for a client, and a client that signed for itself. */
static void keys_make(struct keys *keys)
{
	static const char script[] =
		"exec >openssl.log 2>&1; set -e; new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout'\n"
		"$new ca.key -x509 -days 2 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE -out ca.pem\n"
		"sign() { printf '%s\\n' \"$2\" >ext; openssl x509 -req -days 2 -in $1.csr -CA ca.pem -CAkey ca.key "
		"-CAcreateserial "
		"-extfile ext -out $1.pem; }\n"
		"$new server.key -subj /CN=h1 -out server.csr; sign server 'subjectAltName=IP:127.0.0.1'\n"
		"$new client.key -subj /CN=admin -out client.csr; sign client 'extendedKeyUsage=clientAuth'\n"
		"$new stranger.key -x509 -days 2 -subj /CN=admin -out stranger.pem\n";
	char command[4096];

	snprintf(command, sizeof(command), "cd %s && %s", keys->fixture->directory, script);
	assert_int_equal(system(command), 0);
}

static int keys_setup(void **state)
{
	struct keys *keys = calloc(1, sizeof(*keys));
	const char *directory;

	assert_non_null(keys);
	keys->fixture = fixture_new("h1", NULL);
	directory = keys->fixture->directory;
	keys_make(keys);
#define NAME(member, file) snprintf(keys->member, sizeof(keys->member), "%s/" file, directory)
	NAME(tokens, "tokens");
	NAME(good, "good");
	NAME(bad, "bad");
	NAME(ca, "ca.pem");
	NAME(cert, "server.pem");
	NAME(key, "server.key");
	NAME(client_cert, "client.pem");
	NAME(client_key, "client.key");
	NAME(stranger_cert, "stranger.pem");
	NAME(stranger_key, "stranger.key");
#undef NAME
	file_write(keys->tokens, "# two\nfirst-token\n\n  second-token  \n", 0600);
	file_write(keys->good, "second-token\n", 0600);
	file_write(keys->bad, "second-tokem\n", 0600);
	snprintf(keys->listen, sizeof(keys->listen), "127.0.0.1:%u", fixture_port());
	snprintf(keys->server, sizeof(keys->server), "https://%s", keys->listen);
	*state = keys;
	return 0;
}

static int keys_teardown(void **state)
{
	struct keys *keys = *state;

	fixture_free(keys->fixture);
	free(keys);
	return 0;
}

/* 0 or what the client says. */
static int ask(const struct vd_client_options *options, struct vd_error *error)
{
	struct vd_client *client;
	int r = vd_client_open(options, &client, error);

	if (r)
		return r;
	r = vd_client_call(client, "GET", "/v1/version", NULL, NULL, error);
	vd_client_close(client);
	return r;
}

static void test_tokens(void **state)
{
	struct keys *keys = *state;
	struct vd_tokens *tokens;
	struct vd_error error = {0};

	assert_int_equal(vd_tokens_load(keys->tokens, &tokens, &error), 0);
	assert_int_equal(vd_tokens_count(tokens), 2);
	assert_true(vd_tokens_match(tokens, "first-token"));
	assert_true(vd_tokens_match(tokens, "second-token"));
	assert_false(vd_tokens_match(tokens, "second-toke"));
	assert_false(vd_tokens_match(tokens, "second-token "));
	assert_false(vd_tokens_match(tokens, ""));
	assert_false(vd_tokens_match(tokens, "# two"));
	assert_false(vd_tokens_match(NULL, "first-token"));
	vd_tokens_free(tokens);
	chmod(keys->tokens, 0644);
	assert_int_equal(vd_tokens_load(keys->tokens, &tokens, &error), -EPERM);
	assert_non_null(strstr(error.text, "chmod 600"));
}

static void tls_start(struct keys *keys)
{
	keys->fixture->options.listen = keys->listen;
	keys->fixture->options.tls_cert = keys->cert;
	keys->fixture->options.tls_key = keys->key;
	keys->fixture->options.tls_ca = keys->ca;
	keys->fixture->options.token_file = keys->tokens;
	keys->fixture->options.gateway = true;
	fixture_start(keys->fixture);
}

static void test_tcp_wants_a_token_or_a_certificate(void **state)
{
	struct keys *keys = *state;
	struct vd_client_options options = {.server = keys->server, .ca = keys->ca};
	struct vd_error error = {0};

	tls_start(keys);
	assert_int_equal(ask(&options, &error), -EINVAL);
	assert_non_null(strstr(error.text, "token"));
	options.token_file = keys->bad;
	assert_int_equal(ask(&options, &error), -EINVAL);
	options.token_file = keys->good;
	assert_int_equal(ask(&options, &error), 0);

	options = (struct vd_client_options){
		.server = keys->server, .ca = keys->ca, .cert = keys->client_cert, .key = keys->client_key};
	if (ask(&options, &error))
		fail_msg("%s", error.text);
	options.cert = keys->stranger_cert;
	options.key = keys->stranger_key;
	assert_true(ask(&options, &error) < 0);
	/* The server's own certificate is signed by our CA, but says nothing about clients; that is what hosts show each other. */
	options.cert = keys->cert;
	options.key = keys->key;
	assert_int_equal(ask(&options, &error), 0);
}

static void test_the_store_wants_one_as_well(void **state)
{
	struct keys *keys = *state;
	struct vd_store_options options = {.tls_ca = keys->ca, .token = "first-token"};
	struct vd_kvs *kvs = NULL;
	struct vd_store *store;
	struct vd_error error = {0};
	char url[64];

	tls_start(keys);
	snprintf(url, sizeof(url), "etcds://%s", keys->listen);
	assert_int_equal(vd_store_open(url, &options, &store, &error), 0);
	if (vd_store_range(store, "/viaduct/", true, 0, 0, &kvs, &error))
		fail_msg("%s", error.text);
	vd_kvs_free(kvs);
	vd_store_close(store);
	options.token = "wrong";
	if (vd_store_open(url, &options, &store, &error) == 0) {
		assert_true(vd_store_range(store, "/viaduct/", true, 0, 0, &kvs, &error) < 0);
		vd_store_close(store);
	}
}

static void test_client_does_not_trust_just_any_server(void **state)
{
	struct keys *keys = *state;
	struct vd_client_options options = {.server = keys->server, .ca = keys->stranger_cert, .token_file = keys->good};
	struct vd_error error = {0};

	tls_start(keys);
	assert_true(ask(&options, &error) < 0);
	assert_non_null(strstr(error.text, "certificate"));
	options.server = "http://127.0.0.1:1";
	assert_int_equal(ask(&options, &error), -EPERM);
}

static int start(struct fixture *fixture, struct vd_error *error)
{
	struct vd_api *api = NULL;
	int r = vd_api_start(&fixture->options, &api, error);

	vd_api_stop(api);
	return r;
}

static void test_tcp_without_protection_is_not_served(void **state)
{
	struct keys *keys = *state;
	struct vd_api_options *options = &keys->fixture->options;
	struct vd_error error = {0};

	options->listen = keys->listen;
	assert_int_equal(start(keys->fixture, &error), -EINVAL);
	assert_non_null(strstr(error.text, "--tls-cert"));
	options->token_file = keys->tokens;
	assert_int_equal(start(keys->fixture, &error), -EINVAL);
	options->token_file = NULL;
	options->tls_cert = keys->cert;
	assert_int_equal(start(keys->fixture, &error), -EINVAL);
	options->tls_key = keys->key;
	assert_int_equal(start(keys->fixture, &error), -EINVAL);
	assert_non_null(strstr(error.text, "--token-file"));
	options->token_file = keys->tokens;
	options->tls_key = keys->client_key;
	assert_true(start(keys->fixture, &error) < 0);
	options->tls_key = keys->key;
	options->listen = "nowhere";
	assert_int_equal(start(keys->fixture, &error), -EINVAL);
	options->listen = "256.0.0.1:80";
	assert_int_equal(start(keys->fixture, &error), -EINVAL);
	assert_int_not_equal(access(keys->fixture->socket, F_OK), 0);
}

static void test_insecure_tcp_with_a_token_file_still_wants_one(void **state)
{
	struct keys *keys = *state;
	struct vd_client_options options = {.insecure = true};
	struct vd_error error = {0};
	char server[48];

	keys->fixture->options.listen = keys->listen;
	keys->fixture->options.insecure = true;
	keys->fixture->options.token_file = keys->tokens;
	fixture_start(keys->fixture);
	snprintf(server, sizeof(server), "http://%s", keys->listen);
	options.server = server;
	assert_int_equal(ask(&options, &error), -EINVAL);
	options.token_file = keys->good;
	assert_int_equal(ask(&options, &error), 0);
}

static void test_socket_is_for_root_and_the_group(void **state)
{
	struct keys *keys = *state;
	struct vd_client_options options;
	struct vd_error error = {0};
	struct stat status;
	int result;
	pid_t child;

	if (geteuid() != 0)
		skip();
	fixture_start(keys->fixture);
	assert_int_equal(stat(keys->fixture->socket, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0660);
	/* The mode alone would keep strangers out; the peer's credentials do so too. */
	assert_int_equal(chmod(keys->fixture->socket, 0666), 0);
	assert_int_equal(chmod(keys->fixture->directory, 0755), 0);
	child = fork();
	if (child == 0) {
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			_exit(3);
		options = (struct vd_client_options){.server = keys->fixture->server};
		result = ask(&options, &error);
		_exit(result == -EINVAL && strstr(error.text, "65534") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &result, 0), child);
	assert_int_equal(WEXITSTATUS(result), 0);
}

static void test_second_daemon_on_the_socket_is_refused(void **state)
{
	struct keys *keys = *state;
	struct vd_error error = {0};

	fixture_start(keys->fixture);
	assert_int_equal(start(keys->fixture, &error), -EADDRINUSE);
	assert_int_equal(access(keys->fixture->socket, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, keys_setup, keys_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tokens),
		TEST(test_tcp_wants_a_token_or_a_certificate),
		TEST(test_the_store_wants_one_as_well),
		TEST(test_client_does_not_trust_just_any_server),
		TEST(test_tcp_without_protection_is_not_served),
		TEST(test_insecure_tcp_with_a_token_file_still_wants_one),
		TEST(test_socket_is_for_root_and_the_group),
		TEST(test_second_daemon_on_the_socket_is_refused),
	};

	return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
