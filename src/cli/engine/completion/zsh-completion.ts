/** The completion script for zsh. */
import type {
  Completed,
  CompletedCommand,
  CompletedOption,
  CompletionModel,
} from './completion-model.ts'
import { quote } from './shell-quoting.ts'

/** A script for a file `_tsrun` in $fpath, or for `source <(tsrun completion zsh)`. */
export function zshCompletion({ globals, first, groups, commands }: CompletionModel): string {
  return `#compdef tsrun
# zsh completion for tsrun
_tsrun_names() { local -a found; found=(\${(f)"$(tsrun internal-names $1 2>/dev/null)"}); compadd -a found }
_tsrun() {
  local curcontext=$curcontext state line name
  typeset -A opt_args
  _arguments -C ${globals.map(optionSpec).join(' ')} '1: :->first' '*:: :->rest'
  case $state in
    first) local -a list; list=(${first.map(described).join(' ')}); _describe command list; return ;;
  esac
  name=$words[1]
  case $name in
${groups.map(groupCase).join('')}  esac
  case $name in
${commands.map(commandCase).join('')}  esac
}
if [[ $funcstack[1] == _tsrun ]]; then _tsrun "$@"; else compdef _tsrun tsrun; fi
`
}

function groupCase({ name, commands }: CompletionModel['groups'][number]): string {
  return `    ${name})
      if ((CURRENT == 2)); then local -a list; list=(${commands.map(described).join(' ')}); _describe command list; return; fi
      name="${name} $words[2]"; shift words; ((CURRENT--)) ;;
`
}

function commandCase({ name, options, argument }: CompletedCommand): string {
  return `    ${quote(name)}) _arguments -s ${options.map(optionSpec).join(' ')} ${quote(`*: :${action(argument)}`)} ;;
`
}

function described({ name, describe }: { name: string; describe: string }): string {
  return quote(`${name}:${describe.replaceAll(':', '\\:')}`)
}

// `*` because an option may be given again; the names of one option exclude one another only in help.
function optionSpec({ names, describe, value }: CompletedOption): string {
  const text = describe.replaceAll(/[[\]:\\]/g, (character) => `\\${character}`)
  const after = value === undefined ? '' : `: :${action(value)}`
  return names
    .map((name) => quote(`*${name}${value === undefined ? '' : '='}[${text}]${after}`))
    .join(' ')
}

function action(completed: Completed): string {
  switch (completed.kind) {
    case 'names':
      return `_tsrun_names ${completed.of}`
    case 'words':
      return `(${completed.words.join(' ')})`
    case 'files':
      return '_files'
    case 'nothing':
      return ' '
  }
}
