import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { namespaceHint } from '../../../src/runtime/namespace-hint.ts'

let sysctls: string

beforeEach(() => {
  sysctls = mkdtempSync(join(tmpdir(), 'tsrun-sysctls-'))
  for (const folder of ['kernel', 'user']) mkdirSync(join(sysctls, folder))
})
afterEach(() => rmSync(sysctls, { recursive: true, force: true }))

describe('namespaceHint()', () => {
  it.each([
    ['kernel/apparmor_restrict_unprivileged_userns', '1', 'AppArmor restricts user namespaces'],
    ['kernel/unprivileged_userns_clone', '0', 'kernel.unprivileged_userns_clone=1'],
    ['user/max_user_namespaces', '0', 'raise user.max_user_namespaces'],
  ])('names %s when it is %s', (name, value, text) => {
    expect(namespaceHint(sysctls)).toBeUndefined()
    writeFileSync(join(sysctls, name), `${value}\n`)
    expect(namespaceHint(sysctls)).toContain(text)
  })
})
