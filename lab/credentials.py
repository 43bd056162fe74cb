# SPDX-License-Identifier: Apache-2.0
"""What hosts know each other by: a CA, a certificate for each, and a token, as a person makes them with openssl."""

import os
import secrets

from lab.namespace import run


class Credentials:
    def __init__(self, directory):
        self.directory = directory
        self.tokens, self.ca = directory / "tokens", directory / "ca.pem"

    def make(self, hosts):
        """hosts: name -> address that others reach it by."""
        self.directory.mkdir(mode=0o755)
        self.make_ca("ca")
        for name, address in hosts.items():
            self.make_certificate(name, address)
        self.make_tokens("tokens", secrets.token_hex(24))

    def make_ca(self, name):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", self.directory / f"{name}.key", "-out", self.directory / f"{name}.pem")
        return self.directory / f"{name}.pem"

    def make_certificate(self, name, address, ca="ca"):
        path = self.directory / name
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{path}.key", "-out", f"{path}.csr")
        path.with_suffix(".ext").write_text(f"subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth,clientAuth\n")
        run("openssl", "x509", "-req", "-in", f"{path}.csr", "-CA", self.directory / f"{ca}.pem", "-CAkey", self.directory / f"{ca}.key",
            "-CAcreateserial", "-days", "2", "-extfile", f"{path}.ext", "-out", f"{path}.pem")

    def make_tokens(self, name, *tokens, mode=0o600):
        path = self.directory / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.writelines(f"{token}\n" for token in tokens)
        path.chmod(mode)
        return path

    def daemon_arguments(self, host):
        return ["--tls-cert", self.directory / f"{host}.pem", "--tls-key", self.directory / f"{host}.key", "--tls-ca", self.ca,
                "--token-file", self.tokens]
