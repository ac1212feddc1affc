/** `tsrun man`: the manual as man(1) reads it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { CommandInput, EngineCommand } from './command.ts'
import { findCommand } from './find-command.ts'

export const command: EngineCommand = {
  usage: 'man [options] [COMMAND]',
  describe:
    'Print the man page of tsrun or of a command, or write all of them into a folder. They are part of the npm package: man tsrun-run.',
  options: {
    output: {
      type: 'string',
      alias: 'o',
      describe: 'write all pages into this folder instead',
      value: 'directory',
    },
  },
  examples: [
    { does: 'Read one', line: 'man run | man -l -' },
    { does: 'Install all of them', line: 'man -o /usr/local/share/man/man1' },
  ],
  positionals: { min: 0, max: 2 },
  worksWithoutRoot: () => true,
  run,
}

async function run({ options, positionals }: CommandInput): Promise<number> {
  const { everyCommand } = await import('./every-command.ts')
  const { commandPage, manPageName, overviewPage } = await import('./man/man-page.ts')
  const commands = await everyCommand()
  const folder = options.string('output')
  if (folder !== undefined) {
    mkdirSync(resolve(folder), { recursive: true })
    const write = (name: string, text: string) =>
      writeFileSync(join(resolve(folder), `${name}.1`), text)
    write(manPageName(), overviewPage())
    for (const named of commands) write(manPageName(named.name), commandPage(named))
    return 0
  }
  const name = positionals.length === 0 ? undefined : findCommand(positionals).name
  const named = commands.find((each) => each.name === name)
  process.stdout.write(named === undefined ? overviewPage() : commandPage(named))
  return 0
}
