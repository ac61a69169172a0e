import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { describe, expect, test } from "vitest";
import { fingerprintOf, makeCertificates, makeOwnCertificate, VALID_DAYS } from "../../../protocol/certificates.ts";
import { testFolder } from "../../support/folders.ts";

const HOSTS = ["scheduler.example", "localhost", "10.0.0.7", "::1", "2001:db8::7:0:1"];
const made = makeCertificates(HOSTS);

describe("makeCertificates()", () => {
  test("makes a certificate that its authority has issued, for the names and addresses given", () => {
    const [ca, cert] = [new X509Certificate(made.ca), new X509Certificate(made.cert)];
    expect(ca.ca).toBe(true);
    expect(ca.verify(ca.publicKey)).toBe(true);
    expect(cert.ca).toBe(false);
    expect(cert.checkIssued(ca)).toBe(true);
    expect(cert.verify(ca.publicKey)).toBe(true);
    expect(cert.checkHost("scheduler.example")).toBe("scheduler.example");
    expect(cert.checkHost("other.example")).toBeUndefined();
    for (const address of HOSTS.slice(2)) expect(cert.checkIP(address)).toBe(address);
    expect(cert.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  });

  test("is valid from the day before for ten years", () => {
    const cert = new X509Certificate(makeCertificates(["a"], new Date("2031-02-03T04:05:06Z")).cert);
    expect(new Date(cert.validFrom).toISOString()).toBe("2031-02-02T04:05:06.000Z");
    expect(new Date(cert.validTo).getTime()).toBe(Date.parse("2031-02-03T04:05:06Z") + VALID_DAYS * 86_400_000);
    // Beyond 2049 a date has another form.
    const late = new X509Certificate(makeCertificates(["a"], new Date("2045-01-01T00:00:00Z")).cert);
    expect(new Date(late.validTo).getUTCFullYear()).toBe(2054);
  });

  test("gives others each time", () => {
    const other = makeCertificates(HOSTS);
    expect(other.ca).not.toBe(made.ca);
    expect(new X509Certificate(other.cert).serialNumber).not.toBe(new X509Certificate(made.cert).serialNumber);
    expect(new X509Certificate(made.cert).verify(new X509Certificate(other.ca).publicKey)).toBe(false);
  });

  test("serves TLS to whoever trusts the authority alone, and to nobody else", async () => {
    const server = createServer({ cert: made.cert, key: made.key }, (socket) => socket.end("hello"));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as { port: number };
    const hear = (ca: string): Promise<string> =>
      new Promise((done) => {
        let text = "";
        const socket = connect({ port, host: "127.0.0.1", servername: "localhost", ca });
        socket.on("data", (data) => (text += String(data)));
        socket.on("error", (error: NodeJS.ErrnoException) => (text += error.code));
        socket.on("close", () => done(text));
      });
    try {
      expect(await hear(made.ca)).toBe("hello");
      expect(await hear(makeCertificates(HOSTS).ca)).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED|SIGNATURE|ISSUER/);
    } finally {
      server.close();
    }
  });

  test("is read by an independent program", async (context) => {
    const folder = await testFolder();
    const path = (name: string): string => join(folder, name);
    for (const [name, text] of Object.entries(made)) writeFileSync(path(name), text);
    const openssl = (...args: readonly string[]): string => {
      try {
        return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") context.skip("there is no openssl here");
        throw error;
      }
    };
    expect(openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", path("ca"), path("cert"))).toContain(
      "OK",
    );
    const shown = openssl("x509", "-in", path("cert"), "-noout", "-text");
    expect(shown).toContain("IP Address:2001:DB8:0:0:0:7:0:1");
    expect(openssl("pkey", "-in", path("key"), "-noout", "-check")).toContain("valid");
  });
});

describe("makeOwnCertificate()", () => {
  test("makes a certificate that serves TLS and is known by its hash", async () => {
    const { cert, key, fingerprint } = makeOwnCertificate();
    const server = createServer({ cert, key }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    expect(fingerprintOf(socket.getPeerX509Certificate()!)).toBe(fingerprint);
    expect(fingerprintOf(cert)).toBe(fingerprint);
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(makeOwnCertificate().fingerprint).not.toBe(fingerprint);
    socket.destroy();
    server.close();
    await once(server, "close");
  });
});
