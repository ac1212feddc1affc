/** The completion script for bash. */
import type {
  Completed,
  CompletedCommand,
  CompletedOption,
  CompletionModel,
} from './completion-model.ts'
import { quote } from './shell-quoting.ts'

/** A script for `source <(tsrun completion bash)`. */
export function bashCompletion(model: CompletionModel): string {
  const { globals, first, groups, commands } = model
  return `# bash completion for tsrun
_tsrun_names() { COMPREPLY+=($(compgen -W "$(tsrun internal-names "$1" 2>/dev/null)" -- "$cur")); }
_tsrun_words() { COMPREPLY+=($(compgen -W "$1" -- "$cur")); }
_tsrun_files() { compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$cur")); }
_tsrun() {
  local cur prev words cword i name= rest=0
  COMPREPLY=()
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  # Options before the command, then one or two words.
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${valued(globals)}) ((i++)) ;;
      -*) ;;
      *) name=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $name in
    '') _tsrun_words ${quote([...first.map(({ name }) => name), ...globals.flatMap(({ names }) => names)].join(' '))}; return ;;
${groups.map((group) => groupCase(group)).join('')}  esac
  case $name in
${commands.map(commandCase).join('')}  esac
}
complete -F _tsrun tsrun
`
}

function groupCase({ name, commands }: CompletionModel['groups'][number]): string {
  const words = quote(commands.map((command) => command.name).join(' '))
  return `    ${name})
      if ((i + 1 >= COMP_CWORD)); then _tsrun_words ${words}; return; fi
      name="${name} \${COMP_WORDS[i+1]}" ;;
`
}

function commandCase({ name, options, argument }: CompletedCommand): string {
  const cases = options.flatMap(({ names, value }) =>
    value === undefined || value.kind === 'nothing'
      ? []
      : [`        ${names.join('|')}) ${action(value)}; return ;;\n`],
  )
  const words = quote(options.flatMap(({ names }) => names).join(' '))
  return `    ${quote(name)})
${cases.length === 0 ? '' : `      case $prev in\n${cases.join('')}      esac\n`}      if [[ $cur == -* ]]; then _tsrun_words ${words}; else ${action(argument)}; fi ;;
`
}

function action(completed: Completed): string {
  switch (completed.kind) {
    case 'names':
      return `_tsrun_names ${completed.of}`
    case 'words':
      return `_tsrun_words ${quote(completed.words.join(' '))}`
    case 'files':
      return '_tsrun_files'
    case 'nothing':
      return ':'
  }
}

function valued(options: readonly CompletedOption[]): string {
  return options
    .filter(({ value }) => value !== undefined)
    .flatMap(({ names }) => names)
    .join('|')
}
