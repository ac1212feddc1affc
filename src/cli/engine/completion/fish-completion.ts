/** The completion script for fish. */
import type { Completed, CompletedOption, CompletionModel } from './completion-model.ts'
import { quoteForFish as quote } from './shell-quoting.ts'

/** A script for `tsrun completion fish | source`. */
export function fishCompletion({ globals, first, groups, commands }: CompletionModel): string {
  const lines = [
    ...first.map(({ name, describe }) => line('__tsrun_is', `-a ${name} -d ${quote(describe)}`)),
    ...globals.map((option) => line('__tsrun_is', optionFlags(option))),
    ...groups.flatMap((group) =>
      group.commands.map(({ name, describe }) =>
        line(`__tsrun_is ${group.name}`, `-a ${name} -d ${quote(describe)}`),
      ),
    ),
    ...commands.flatMap(({ name, options, argument }) => [
      ...options.map((option) => line(`__tsrun_in ${name}`, optionFlags(option))),
      ...(argument.kind === 'nothing' ? [] : [line(`__tsrun_in ${name}`, valueFlags(argument))]),
    ]),
  ]
  return `# fish completion for tsrun
# The words of the command line that are no options, up to the cursor: exactly these, or beginning with these.
function __tsrun_words
    set -l words (commandline -opc)
    set -e words[1]
    string match -v -- '-*' $words
end
function __tsrun_is
    test "$(__tsrun_words)" = "$argv"
end
function __tsrun_in
    set -l words (__tsrun_words)
    set -l count (count $argv)
    test (count $words) -ge $count; and test "$words[1..$count]" = "$argv"
end
complete -c tsrun -f
${lines.join('\n')}
`
}

function line(condition: string, flags: string): string {
  return `complete -c tsrun -n ${quote(condition)} ${flags}`
}

function optionFlags({ names, describe, value }: CompletedOption): string {
  const flags = names.map((name) =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  )
  const after = value === undefined ? '' : ` -r ${valueFlags(value)}`
  return `${flags.join(' ')} -d ${quote(describe)}${after}`
}

function valueFlags(completed: Completed): string {
  switch (completed.kind) {
    case 'names':
      return `-f -a ${quote(`(tsrun internal-names ${completed.of} 2>/dev/null)`)}`
    case 'words':
      return `-f -a ${quote(completed.words.join(' '))}`
    case 'files':
      return '-F'
    case 'nothing':
      return '-f'
  }
}
