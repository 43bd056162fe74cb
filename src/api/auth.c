/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth.h"

#include "base/cleanup.h"
#include "base/token.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <grp.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GROUP "viaduct"

struct vd_tokens {
	unsigned char (*digests)[SHA256_DIGEST_LENGTH];
	size_t count;
};

static int tokens_add(struct vd_tokens *tokens, const char *token, size_t size)
{
	unsigned char(*digests)[SHA256_DIGEST_LENGTH] = reallocarray(tokens->digests, tokens->count + 1, sizeof(*digests));

	if (!digests)
		return -ENOMEM;
	tokens->digests = digests;
	SHA256((const unsigned char *)token, size, tokens->digests[tokens->count++]);
	return 0;
}

static int tokens_read(struct vd_tokens *tokens, FILE *file)
{
	char *token;
	int r;

	while ((r = vd_token_file_next(file, &token)) == 0) {
		r = tokens_add(tokens, token, strlen(token));
		vd_token_free(token);
		if (r)
			return r;
	}
	return r == -ENOENT ? 0 : r;
}

int vd_tokens_load(const char *path, struct vd_tokens **ret, struct vd_error *error)
{
	VD_FCLOSE FILE *file = NULL;
	struct vd_tokens *tokens;
	int r;

	r = vd_token_file_open(path, &file, error);
	if (r)
		return r;
	tokens = calloc(1, sizeof(*tokens));
	if (!tokens)
		return -ENOMEM;
	r = tokens_read(tokens, file);
	if (r) {
		vd_tokens_free(tokens);
		return vd_error_set(error, r, "token file %s cannot be read", path);
	}
	*ret = tokens;
	return 0;
}

void vd_tokens_free(struct vd_tokens *tokens)
{
	if (!tokens)
		return;
	free(tokens->digests);
	free(tokens);
}

size_t vd_tokens_count(const struct vd_tokens *tokens)
{
	return tokens ? tokens->count : 0;
}

bool vd_tokens_match(const struct vd_tokens *tokens, const char *token)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	bool match = false;

	if (!tokens)
		return false;
	SHA256((const unsigned char *)token, strlen(token), digest);
	for (size_t i = 0; i < tokens->count; i++)
		match |= CRYPTO_memcmp(digest, tokens->digests[i], sizeof(digest)) == 0;
	return match;
}

static int group_id(gid_t *ret)
{
	char buffer[16384];
	struct group group, *found = NULL;

	if (getgrnam_r(GROUP, &group, buffer, sizeof(buffer), &found) || !found)
		return -ENOENT;
	*ret = found->gr_gid;
	return 0;
}

/* The supplementary groups that the peer had when it connected. */
static bool peer_in_group(int fd, gid_t wanted)
{
	VD_FREE gid_t *groups = NULL;
	socklen_t size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
		return false;
	groups = malloc(size);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

int vd_auth_socket(int fd, struct vd_error *error)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	gid_t group;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return vd_error_set(error, -EPERM, "the socket does not say who asks: %m");
	if (peer.uid == 0 || peer.uid == geteuid())
		return 0;
	if (!group_id(&group) && (peer.gid == group || peer_in_group(fd, group)))
		return 0;
	return vd_error_set(error, -EPERM, "user %u may not ask viaductd: be root or a member of the group " GROUP,
			    (unsigned)peer.uid);
}

/* Signed by our CA, valid now, and meant for clients. */
static bool certificate_verified(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
	unsigned count = 0, status = 0;
	gnutls_session_t session;

	if (!info || !info->tls_session)
		return false;
	session = info->tls_session;
	if (!gnutls_certificate_get_peers(session, &count) || !count)
		return false;
	return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == GNUTLS_E_SUCCESS && status == 0;
}

int vd_auth_tcp(struct MHD_Connection *connection, const struct vd_tokens *tokens, struct vd_error *error)
{
	const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);

	if (header && !strncasecmp(header, "Bearer ", 7)) {
		if (vd_tokens_match(tokens, header + 7 + strspn(header + 7, " ")))
			return 0;
		return vd_error_set(error, -EACCES, "this token is not one of the daemon's: see its --token-file");
	}
	if (certificate_verified(connection))
		return 0;
	return vd_error_set(error, -EACCES,
			    "who asks over TCP shows a token or a client certificate: give --token-file or --cert and --key");
}
