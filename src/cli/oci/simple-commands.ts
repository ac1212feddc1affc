/** The verbs that need a line or two each: start, state, kill, delete, pause, resume, ps, list. */
import { TsrunError } from '../../errors.ts'
import { parseSignal } from '../../linux/signals.ts'
import { deleteContainer } from '../../runtime/delete.ts'
import { pauseContainer, resumeContainer } from '../../runtime/freeze.ts'
import { killContainer } from '../../runtime/kill.ts'
import { startContainer } from '../../runtime/start.ts'
import { explainedState } from '../../runtime/state.ts'
import { containerIdOf } from './arguments.ts'
import { type OciCommand, ONE_ID, print } from './command.ts'

export const startCommand: OciCommand = {
  usage: '<container-id>',
  description: 'run the process of a created container',
  table: { flags: {} },
  positional: ONE_ID,
  async run(args, { root, warn }) {
    await startContainer(root, containerIdOf(args), { warn })
    return 0
  },
}

export const stateCommand: OciCommand = {
  usage: '<container-id>',
  description: 'print the state of a container',
  table: { flags: {} },
  positional: ONE_ID,
  async run(args, { root }) {
    print(`${JSON.stringify(await explainedState(root, containerIdOf(args)), undefined, 2)}\n`)
    return 0
  },
}

export const killCommand: OciCommand = {
  usage: '[--all] <container-id> [signal]',
  description: 'send a signal, TERM when none is given, to the init process of a container',
  table: { flags: { all: 'boolean' }, aliases: { a: 'all' } },
  positional: { least: 1, most: 2 },
  async run(args, { root }) {
    const given = args.positional[1] ?? ''
    const name = given === '' ? 'SIGTERM' : given
    const signal = parseSignal(name)
    if (signal === undefined)
      throw new TsrunError('invalid-argument', `unknown signal ${JSON.stringify(name)}`)
    await killContainer(root, containerIdOf(args), signal, args.boolean('all'))
    return 0
  },
}

export const deleteCommand: OciCommand = {
  usage: '[--force] <container-id>',
  description: 'remove what create made',
  table: { flags: { force: 'boolean' }, aliases: { f: 'force' } },
  positional: ONE_ID,
  async run(args, { root, warn }) {
    const { hookFailures } = await deleteContainer(root, containerIdOf(args), args.boolean('force'))
    hookFailures.forEach(warn)
    return 0
  },
}

function freezeCommand(name: 'pause' | 'resume'): OciCommand {
  return {
    usage: '<container-id>',
    description:
      name === 'pause' ? 'freeze all processes of a container' : 'thaw a paused container',
    table: { flags: {} },
    positional: ONE_ID,
    async run(args, { root }) {
      const change = name === 'pause' ? pauseContainer : resumeContainer
      await change(root, containerIdOf(args))
      return 0
    },
  }
}

export const pauseCommand = freezeCommand('pause')
export const resumeCommand = freezeCommand('resume')
