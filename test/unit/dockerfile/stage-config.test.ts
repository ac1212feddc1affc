/** What instructions make of an image's configuration. */
import { describe, expect, it } from 'vitest'
import { parseDockerfile } from '../../../src/dockerfile/parse-dockerfile.ts'
import { applyInstruction, type StageConfig } from '../../../src/dockerfile/stage-config.ts'
import type { ImageProcess } from '../../../src/oci/image.ts'

function build(
  text: string,
  process: ImageProcess = {},
  given: Readonly<Record<string, string>> = {},
  globals: Readonly<Record<string, string>> = {},
): StageConfig {
  const { file, escapeChar, stages } = parseDockerfile(`FROM a\n${text}`, 'Dockerfile')
  const context = {
    ...{ file, escapeChar },
    argument: (name: string) => given[name],
    inherited: (name: string) => globals[name],
  }
  const start: StageConfig = { process, author: undefined, args: new Map(), hasCommand: false }
  return (stages[0]?.instructions ?? []).reduce(
    (config, instruction) => applyInstruction(config, instruction, context),
    start,
  )
}

describe('applyInstruction()', () => {
  it('replaces variables by what they were before the instruction', () => {
    const { process } = build('ENV a=1\nENV a=2 b=$a "c d"=e', { Env: ['PATH=/bin'] })
    expect(process.Env).toEqual(['PATH=/bin', 'a=2', 'b=1', 'c d=e'])
  })

  it('gives ARGs what was given, then their default; ENV goes before them', () => {
    const { process, args } = build(
      'ARG v=1\nARG w=$v\nARG x\nLABEL l=$v-$w-$x\nENV v=env\nLABEL m=$v',
      {},
      { v: '2' },
    )
    expect(args).toEqual(
      new Map([
        ['v', '2'],
        ['w', '2'],
      ]),
    )
    expect(process.Labels).toEqual({ l: '2-2-', m: 'env' })
  })

  it('gives an ARG what stands before FROM only where it has no value of its own', () => {
    const { args } = build('ARG v=2\nARG w\nARG x=3', {}, { x: '4' }, { v: '1', w: '1', x: '1' })
    expect([...args]).toEqual([
      ['v', '2'],
      ['w', '1'],
      ['x', '4'],
    ])
  })

  it('goes down and up with WORKDIR', () => {
    expect(build('WORKDIR a\nWORKDIR b/\nWORKDIR ../c').process.WorkingDir).toBe('/a/c')
  })

  it('drops the CMD of the base with an ENTRYPOINT, not its own', () => {
    const base = { Cmd: ['x'] }
    expect(build('ENTRYPOINT ["a"]', base).process).toEqual({ Entrypoint: ['a'] })
    expect(build('CMD ["y"]\nENTRYPOINT ["a"]', base).process).toEqual({
      Cmd: ['y'],
      Entrypoint: ['a'],
    })
  })

  it('runs the shell form by the shell of the stage', () => {
    expect(build('CMD a b').process.Cmd).toEqual(['/bin/sh', '-c', 'a b'])
    expect(build('SHELL ["/bin/ash", "-ec"]\nCMD a').process.Cmd).toEqual(['/bin/ash', '-ec', 'a'])
  })

  it('sets ports, volumes, user, signal, author and triggers', () => {
    const { process, author } = build(
      'EXPOSE 80 53/UDP 8000-8001\nVOLUME ["/a b"]\nVOLUME /c /d\nUSER 1:2\nSTOPSIGNAL SIGINT\nMAINTAINER me\nONBUILD RUN x',
    )
    expect(process).toEqual({
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} },
      Volumes: { '/a b': {}, '/c': {}, '/d': {} },
      User: '1:2',
      StopSignal: 'SIGINT',
      OnBuild: ['RUN x'],
    })
    expect(author).toBe('me')
  })

  it('sets a health check with durations in nanoseconds, or none', () => {
    expect(build('HEALTHCHECK --interval=1m --retries=3 CMD a b').process.Healthcheck).toEqual({
      Test: ['CMD-SHELL', 'a b'],
      Interval: 60e9,
      Retries: 3,
    })
    expect(build('HEALTHCHECK NONE').process.Healthcheck).toEqual({ Test: ['NONE'] })
  })

  it.each([
    ['EXPOSE 0', '"0" is no port'],
    ['EXPOSE 90-80', '"90-80" is no port'],
    ['EXPOSE http', '"http" is no port'],
    ['STOPSIGNAL now!', '"now!" is no signal'],
    ['USER $nobody', 'USER is empty with its variables replaced'],
    ['HEALTHCHECK --interval=x CMD a', '"x" is no duration'],
  ])('refuses %s', (text, message) => {
    expect(() => build(text)).toThrow(`cannot use Dockerfile:2: ${message}`)
  })
})
