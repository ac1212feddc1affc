import { describe, expect, it } from 'vitest'
import {
  familiarReference,
  formatReference,
  parseReference,
  registryHost,
} from '../../../src/oci/reference.ts'

const DIGEST = `sha256:${'b'.repeat(64)}`

describe('parseReference()', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/app', 'localhost:5000/app:latest', 'localhost:5000/app:latest'],
    ['127.0.0.1:5000/a/b:v1', '127.0.0.1:5000/a/b:v1', '127.0.0.1:5000/a/b:v1'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    ['Registry/app', 'Registry/app:latest', 'Registry/app:latest'],
    ['quay.io/a/b_c__d-e.f', 'quay.io/a/b_c__d-e.f:latest', 'quay.io/a/b_c__d-e.f:latest'],
    [`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
    [`busybox:1@${DIGEST}`, `docker.io/library/busybox:1@${DIGEST}`, `busybox:1@${DIGEST}`],
  ])('reads %s', (text, whole, familiar) => {
    const reference = parseReference(text)
    expect(formatReference(reference)).toBe(whole)
    expect(familiarReference(reference)).toBe(familiar)
    expect(parseReference(whole)).toEqual(reference)
  })

  it.each([
    ['', 'it has no repository name'],
    ['Busybox', 'must be in lower case'],
    ['user/App', 'must be in lower case'],
    ['busybox:', 'its tag is empty'],
    ['busybox:a b', 'its tag "a b" may only have'],
    [`busybox:${'a'.repeat(129)}`, 'longer than 128'],
    ['busybox@sha256:12', 'must have 64 hexadecimal digits'],
    ['busybox@', 'it has no algorithm'],
    ['a//b', 'empty path component'],
    ['/busybox', 'empty path component'],
    ['busybox/', 'empty path component'],
    ['../../etc', 'is not a registry host'],
    ['docker.io/', 'it has no repository name'],
    ['quay.io/../x', 'may only have'],
    ['localhost:99999/x', 'port 99999 is above 65535'],
    ['-bad.io/x', 'is not a registry host'],
    ['a.b/x\n', 'may only have'],
    ['a\0b', 'may only have'],
    [' busybox', 'may only have'],
    ['http://quay.io/x', 'is not a registry host'],
    ['a'.repeat(256), 'longer than 255'],
    ['f'.repeat(64), 'it is an image id'],
  ])('refuses %j', (text, reason) => {
    expect(() => parseReference(text)).toThrow(reason)
    expect(() => parseReference(text)).toThrow(/^cannot use image name /)
  })

  it('registryHost() knows where Docker Hub answers', () => {
    expect(registryHost(parseReference('busybox'))).toBe('registry-1.docker.io')
    expect(registryHost(parseReference('localhost:5000/x'))).toBe('localhost:5000')
  })
})
