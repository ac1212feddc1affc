/** The flags that checkpoint and restore share. */
import { resolve } from 'node:path'
import { TsrunError } from '../../errors.ts'
import type { CriuFlags } from '../../runtime/criu/criu-flags.ts'
import type { FlagKind, ParsedArguments } from './arguments.ts'
import type { OciGlobals } from './command.ts'

export const CRIU_FLAGS: Readonly<Record<string, FlagKind>> = {
  'image-path': 'string',
  'work-path': 'string',
  'tcp-established': 'boolean',
  'ext-unix-sk': 'boolean',
  'shell-job': 'boolean',
  'lazy-pages': 'boolean',
  'file-locks': 'boolean',
  'manage-cgroups-mode': 'string',
  'empty-ns': 'list',
  'auto-dedup': 'boolean',
}

/** Throws `invalid-argument` for a namespace that cannot be left empty. */
export function criuFlags(args: ParsedArguments, { criu }: OciGlobals): CriuFlags {
  for (const kind of args.list('empty-ns')) {
    // It is always: the network is set up by whoever made its namespace.
    if (kind === 'network') continue
    throw new TsrunError('invalid-argument', `namespace ${JSON.stringify(kind)} is not supported`, {
      hint: 'give --empty-ns network',
    })
  }
  const workPath = args.given('work-path')
  const mode = args.given('manage-cgroups-mode')
  return {
    imagePath: resolve(args.given('image-path') ?? 'checkpoint'),
    ...(workPath === undefined ? {} : { workPath: resolve(workPath) }),
    ...(mode === undefined ? {} : { manageCgroupsMode: mode }),
    ...(criu === undefined ? {} : { criu }),
    tcpEstablished: args.boolean('tcp-established'),
    extUnixSk: args.boolean('ext-unix-sk'),
    shellJob: args.boolean('shell-job'),
    lazyPages: args.boolean('lazy-pages'),
    fileLocks: args.boolean('file-locks'),
    autoDedup: args.boolean('auto-dedup'),
  }
}
