import { describe, expect, it } from 'vitest'
import type { EngineCommand } from '../../../../src/cli/engine/command.ts'
import { parseCommand } from '../../../../src/cli/engine/parse-command.ts'

const command: EngineCommand = {
  usage: 'run [options] IMAGE [COMMAND] [ARG...]',
  describe: 'Run.',
  options: {
    env: { type: 'list', alias: 'e', describe: 'set a variable' },
    interactive: { type: 'flag', alias: 'i', describe: 'keep stdin open' },
    tty: { type: 'flag', alias: 't', describe: 'a terminal' },
    rm: { type: 'flag', describe: 'remove' },
    name: { type: 'string', describe: 'the name' },
    memory: { type: 'string', alias: 'm', describe: 'the limit' },
    entrypoint: { type: 'string', describe: 'the program' },
  },
  examples: [],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  run: async () => 0,
}

async function parse(...args: string[]) {
  const parsed = await parseCommand(command, args)
  if ('help' in parsed) throw new Error(parsed.help)
  return parsed
}

describe('parseCommand()', () => {
  it('ends the options at the first positional', async () => {
    const { options, positionals } = await parse(
      '-it',
      '--rm',
      'image',
      'ls',
      '-l',
      '--name',
      'x',
      '--',
      '-e',
    )
    expect(positionals).toEqual(['image', 'ls', '-l', '--name', 'x', '--', '-e'])
    expect([options.flag('interactive'), options.flag('tty'), options.flag('rm')]).toEqual([
      true,
      true,
      true,
    ])
    expect(options.string('name')).toBeUndefined()
  })

  it('collects lists and keeps the text of values', async () => {
    const { options } = await parse(
      '-e',
      'A=1',
      '--env=B=2',
      '-e',
      'N=007',
      '-m',
      '512m',
      '--name',
      '0123',
      'image',
    )
    expect(options.list('env')).toEqual(['A=1', 'B=2', 'N=007'])
    expect(options.string('memory')).toBe('512m')
    expect(options.string('name')).toBe('0123')
  })

  it('takes the last of a value given twice, empty values and switched-off flags', async () => {
    const { options } = await parse(
      '--name',
      'a',
      '--name=b',
      '--entrypoint',
      '',
      '--rm=false',
      'image',
    )
    expect(options.string('name')).toBe('b')
    expect(options.string('entrypoint')).toBe('')
    expect(options.flag('rm')).toBe(false)
  })

  it('takes values that look like options', async () => {
    const { options, positionals } = await parse('--name', '-x', 'image')
    expect(options.string('name')).toBe('-x')
    expect(positionals).toEqual(['image'])
  })

  it('takes the value of a short option that is attached', async () => {
    const { options } = await parse('-m64m', '-eA=b', 'image')
    expect(options.string('memory')).toBe('64m')
    expect(options.list('env')).toEqual(['A=b'])
  })

  it('keeps __proto__ and the like as text', async () => {
    const { options, positionals } = await parse('-e', '__proto__=1', 'image', '__proto__')
    expect(options.list('env')).toEqual(['__proto__=1'])
    expect(positionals).toEqual(['image', '__proto__'])
  })

  it('refuses unknown options, missing values and missing arguments by name', async () => {
    await expect(parse('--restart', 'always', 'image')).rejects.toThrow(/no option --restart/)
    await expect(parse('-e')).rejects.toThrow(/--env needs a value/)
    await expect(parse('--rm=7', 'image')).rejects.toThrow(/"7" is no value/)
    await expect(parse('--rm')).rejects.toThrow(/IMAGE is missing/)
  })

  it('suggests the nearest option, and -h is help where it is nothing else', async () => {
    await expect(parse('--entripoint', 'x', 'image')).rejects.toMatchObject({
      hint: expect.stringContaining('did you mean --entrypoint?'),
    })
    await expect(parse('-x', 'image')).rejects.toThrow(/no option -x/)
    expect(await parseCommand(command, ['-h'])).toHaveProperty('help')
  })

  it('refuses too many arguments', async () => {
    const none = { ...command, positionals: { min: 0, max: 0 }, optionsFirst: false }
    await expect(parseCommand(none, ['x'])).rejects.toThrow(/"x" is one argument too many/)
  })

  it('has a help text', async () => {
    const parsed = await parseCommand(command, ['--help'])
    expect('help' in parsed && parsed.help).toContain('--entrypoint')
  })
})
