/** Every command describes itself: what help, completions and man pages are made of. */
import { describe, expect, it } from 'vitest'
import { everyCommand } from '../../../../src/cli/engine/every-command.ts'
import { commandHelp } from '../../../../src/cli/engine/help-text.ts'

const commands = await everyCommand()

describe.each(commands.map((named) => [named.name, named] as const))('%s', (name, named) => {
  const { command } = named

  it('has a usage that begins with a command and a description that is a sentence', () => {
    expect(command.usage).toMatch(/^[a-z][a-z -]*( |$)/)
    expect(command.describe).toMatch(/^[A-Z][\s\S]*\.$/)
    expect(named.describe).toMatch(/^[a-z][^\n]*[^.\s]$/)
  })

  it('describes each option in one line', () => {
    for (const [option, { describe: text }] of Object.entries(command.options)) {
      expect(text, `--${option} of ${name}`).toMatch(
        /^[^A-Z\s](?:[^\n]*[^.\s])?$|^[A-Z]{2,}[^\n]*$/,
      )
    }
  })

  it('gives the value of an option a name in one word, and a flag none', () => {
    for (const [option, { type, value }] of Object.entries(command.options)) {
      if (type === 'flag') expect(value, `--${option} of ${name}`).toBeUndefined()
    }
  })

  it('uses each short name once', () => {
    const aliases = Object.values(command.options).flatMap(({ alias }) => alias ?? [])
    expect(new Set(aliases).size).toBe(aliases.length)
  })

  it('groups options that there are, each once', () => {
    const grouped = Object.values(command.optionGroups ?? {}).flat()
    expect(grouped.filter((option) => !Object.hasOwn(command.options, option))).toEqual([])
    expect(new Set(grouped).size).toBe(grouped.length)
  })

  it('has examples that are command lines of tsrun', () => {
    expect(command.examples.length, `examples of ${name}`).toBeGreaterThan(0)
    for (const { does, line } of command.examples) {
      expect(does).toMatch(/^[A-Z].*[^.]$/)
      expect(line).not.toMatch(/^tsrun/)
    }
  })

  it('shows all of it in its help', () => {
    const help = commandHelp(command, 80)
    for (const [option, spec] of Object.entries(command.options)) {
      expect(help).toMatch(new RegExp(`--${option}(?![\\w-])`))
      if (spec.alias !== undefined) expect(help).toMatch(new RegExp(`--?${spec.alias}(?![\\w-])`))
    }
    const longest = Math.max(...help.split('\n').map((line) => line.length))
    expect(longest, `width of the help of ${name}`).toBeLessThanOrEqual(110)
  })
})
