import { describe, expect, it } from 'vitest'
import { unsupportedFeatures } from '../../../src/oci/unsupported-features.ts'
import { validateRuntimeConfig } from '../../../src/oci/validate-runtime-config.ts'
import { buildSpec } from '../../../src/spec/build-spec.ts'
import type { SpecOptions } from '../../../src/spec/spec-input.ts'
import { HOST, specInput } from './input.ts'

const build = (options: SpecOptions = {}) => buildSpec(specInput(options))
const namespaces = (options: SpecOptions) =>
  build(options).linux?.namespaces?.map(({ type }) => type)

describe('buildSpec()', () => {
  it('describes a confined container by default', () => {
    const config = build()
    expect(config).toMatchObject({
      ociVersion: '1.3.0',
      root: { path: '/run/root', readonly: false },
      hostname: '0123456789ab',
      process: {
        terminal: false,
        user: { uid: 0, gid: 0, additionalGids: [0] },
        args: ['sh'],
        cwd: '/',
        noNewPrivileges: false,
      },
      linux: { seccomp: { defaultAction: 'SCMP_ACT_ERRNO' } },
    })
    expect(config.process?.capabilities?.effective).toHaveLength(14)
    expect(config.process?.capabilities).not.toHaveProperty('ambient')
    expect(config.annotations).toBeUndefined()
  })

  it.each<SpecOptions>([
    {},
    { privileged: true },
    { network: 'host' },
    {
      user: 'web',
      terminal: true,
      consoleSize: { height: 24, width: 80 },
      env: ['A=1'],
      workdir: '/x',
      hostname: 'h',
      volumes: ['/a:/b:ro,rshared'],
      tmpfs: ['/t'],
      readOnly: true,
      capAdd: ['ALL'],
      securityOpt: ['no-new-privileges', 'mask=/proc/x'],
      ulimits: ['nofile=10', 'core=-1'],
      sysctls: ['net.core.somaxconn=1'],
      memory: 2 ** 26,
      cpus: 0.5,
      pidsLimit: 10,
      annotations: ['a=b'],
      oomScoreAdj: 100,
      entrypoint: ['/e'],
    },
  ])('writes a valid and supported config for %j', (options) => {
    const config = build(options)
    expect(validateRuntimeConfig(config)).toEqual([])
    expect(validateRuntimeConfig(JSON.parse(JSON.stringify(config)))).toEqual([])
    expect(unsupportedFeatures(config)).toEqual([])
  })

  it('leaves a privileged container unconfined', () => {
    const { linux, process } = build({ privileged: true })
    expect(linux?.seccomp).toBeUndefined()
    expect(linux?.maskedPaths).toEqual([])
    expect(linux?.readonlyPaths).toEqual([])
    expect(process?.capabilities?.bounding).toHaveLength(41)
  })

  it('shares the network of the host only when asked', () => {
    expect(namespaces({})).toContain('network')
    expect(namespaces({ network: 'host' })).not.toContain('network')
    expect(build({ network: 'host' }).hostname).toBe('machine')
  })

  it('takes user, environment and directory of the image', () => {
    const image = { Cmd: ['x'], User: 'web:video', Env: ['A=1'], WorkingDir: '/srv' }
    const { process } = buildSpec(specInput({}, { image }))
    expect(process).toMatchObject({ user: { uid: 100, gid: 44 }, cwd: '/srv' })
    expect(process?.env).toEqual(expect.arrayContaining(['A=1', 'HOME=/srv/web']))
    expect(process?.capabilities).not.toHaveProperty('effective')
  })

  it('hands the capabilities that were chosen to the seccomp profile', () => {
    let seen: readonly string[] = []
    buildSpec(
      specInput(
        { capDrop: ['ALL'], capAdd: ['SYS_PTRACE'] },
        {
          defaultSeccompProfile: ({ capabilities }) => {
            seen = capabilities
            return { defaultAction: 'SCMP_ACT_ERRNO' }
          },
        },
      ),
    )
    expect(seen).toEqual(['CAP_SYS_PTRACE'])
  })

  it('reads a seccomp profile by the path as given', () => {
    const host = {
      ...HOST,
      seccompProfiles: new Map([['p.json', '{"defaultAction":"SCMP_ACT_LOG"}']]),
    }
    const options = { securityOpt: ['seccomp=p.json'] }
    expect(buildSpec(specInput(options, { host })).linux?.seccomp?.defaultAction).toBe(
      'SCMP_ACT_LOG',
    )
    expect(() => buildSpec(specInput(options))).toThrow('the file was not read')
  })

  it('refuses an AppArmor profile where AppArmor is off', () => {
    expect(() => build({ securityOpt: ['apparmor=x'] })).toThrow('AppArmor is not enabled')
    expect(build({ securityOpt: ['apparmor=unconfined'] }).process).not.toHaveProperty(
      'apparmorProfile',
    )
    const host = { ...HOST, apparmor: true }
    const config = buildSpec(specInput({ securityOpt: ['apparmor=x'] }, { host }))
    expect(config.process?.apparmorProfile).toBe('x')
  })

  it('never lets labels of an image become annotations (CVE-2026-53488)', () => {
    const image = { Cmd: ['x'], Labels: { 'org.tsrun.restart': 'always' } }
    expect(buildSpec(specInput({}, { image })).annotations).toBeUndefined()
  })

  it('refuses an oom score out of range', () => {
    expect(() => build({ oomScoreAdj: 1001 })).toThrow('cannot use oom-score-adj "1001"')
  })
})
