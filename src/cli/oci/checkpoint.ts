/** `checkpoint`: runc's flags for criu. */
import { TsrunError } from '../../errors.ts'
import { checkpointContainer } from '../../runtime/checkpoint.ts'
import { containerIdOf } from './arguments.ts'
import { type OciCommand, ONE_ID } from './command.ts'
import { CRIU_FLAGS, criuFlags } from './criu-flags.ts'

export const checkpointCommand: OciCommand = {
  usage: '[flags] <container-id>',
  description: 'save a running container to image files',
  table: {
    flags: {
      ...CRIU_FLAGS,
      'parent-path': 'string',
      'leave-running': 'boolean',
      'tcp-skip-in-flight': 'boolean',
      'link-remap': 'boolean',
      'status-fd': 'number',
      'page-server': 'string',
      'pre-dump': 'boolean',
    },
  },
  positional: ONE_ID,
  async run(args, globals) {
    const statusFd = args.number('status-fd') ?? -1
    const pageServer = parsePageServer(args.given('page-server'))
    const parentPath = args.given('parent-path')
    await checkpointContainer({
      ...criuFlags(args, globals),
      root: globals.root,
      id: containerIdOf(args),
      warn: globals.warn,
      environment: process.env,
      leaveRunning: args.boolean('leave-running'),
      tcpSkipInFlight: args.boolean('tcp-skip-in-flight'),
      linkRemap: args.boolean('link-remap'),
      preDump: args.boolean('pre-dump'),
      ...(statusFd < 0 ? {} : { statusFd }),
      ...(pageServer === undefined ? {} : { pageServer }),
      ...(parentPath === undefined ? {} : { parentPath }),
    })
    return 0
  },
}

/** `ADDRESS:PORT`, an IPv6 address in brackets. Throws `invalid-argument`. */
export function parsePageServer(
  text: string | undefined,
): { readonly address: string; readonly port: number } | undefined {
  if (text === undefined) return undefined
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const address = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (address !== undefined && port >= 1 && port <= 65535) return { address, port }
  throw new TsrunError(
    'invalid-argument',
    'Use --page-server ADDRESS:PORT to specify page server',
    {
      hint: `not ${JSON.stringify(text)}`,
    },
  )
}
