/** Every command describes itself: what help, completions and man pages are made of. */
import { describe, expect, it } from 'vitest'
import { completionScript } from '../../../../src/cli/engine/completion/completion-script.ts'
import { everyCommand } from '../../../../src/cli/engine/every-command.ts'
import { commandHelp } from '../../../../src/cli/engine/help-text.ts'
import { commandPage } from '../../../../src/cli/engine/man/man-page.ts'

const commands = await everyCommand()
const completions = {
  bash: await completionScript('bash'),
  zsh: await completionScript('zsh'),
  fish: await completionScript('fish'),
}

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
      const isShown = new RegExp(`--${option}(?![\\w-])`).test(help)
      expect(isShown, `--${option} of ${name}`).toBe(spec.hidden !== true)
      if (spec.alias !== undefined) expect(help).toMatch(new RegExp(`--?${spec.alias}(?![\\w-])`))
    }
    const page = commandPage(named)
    for (const [option, spec] of Object.entries(command.options)) {
      if (spec.hidden === true) continue
      expect(page).toContain(`\\-\\-${option.replaceAll('-', '\\-')}`)
    }
    const longest = Math.max(...help.split('\n').map((line) => line.length))
    expect(longest, `width of the help of ${name}`).toBeLessThanOrEqual(110)
  })

  it('is completed with all its options in every shell', () => {
    const options = Object.keys(command.options)
    const bash = completions.bash.split('\n').slice(after(completions.bash, `    '${name}')`))
    const words = bash.find((line) => line.includes('if [[ $cur == -* ]]')) ?? ''
    const zsh = completions.zsh
      .split('\n')
      .find((line) => line.startsWith(`    '${name}') _arguments`))
    const fish = completions.fish
      .split('\n')
      .filter((line) => line.includes(`'__tsrun_in ${name}'`))
    for (const option of options) {
      expect(words, `bash, --${option}`).toMatch(new RegExp(`--${option}(?![\\w-])`))
      expect(zsh, `zsh, --${option}`).toMatch(new RegExp(`--${option}(?![\\w-])`))
      expect(fish.some((line) => new RegExp(`-l ${option}(?![\\w-])`).test(line))).toBe(true)
    }
  })
})

function after(text: string, line: string): number {
  return text.split('\n').indexOf(line)
}
