/** What the emitters of one plan share: the builder, the config, and the slots that outlive a step. */
import type { HookKind, Process, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { CompileCreateOptions, CompileOptions } from '../compile-options.ts'
import type { DataRef, Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { HelperProcess } from './helper-process.ts'
import type { IdMap } from './idmapped-mounts.ts'

/** For emitters of the process itself: used by create and exec alike. */
export interface ProcessContext {
  readonly b: PlanBuilder
  readonly config: RuntimeConfig
  readonly process: Process
  readonly options: CompileOptions
  readonly report: Slot
  /** The connected console socket, when the process gets a terminal. */
  readonly console?: Slot
  /** The directory of the cgroup that the process starts in. */
  readonly cgroup?: Slot
  /** The process is in a user namespace other than ours. */
  readonly inUserNamespace: boolean
  /** The launcher's own procfs, when the process gets a security label. */
  labelProc?: Slot
  /** The state documents for the hooks that the plan runs itself. */
  hookState?: Readonly<Partial<Record<HookKind, DataRef>>>
}

/** For emitters that build a container. */
export interface CreateContext extends ProcessContext {
  readonly options: CompileCreateOptions
  readonly rootfs: string
  readonly bundle: string
  /** Mount destinations behind dangling links: destination → the path that it means. */
  readonly danglingLinks: Readonly<Record<string, string>>
  /** The maps of mounts with mapped ids, by their index. */
  idMaps: ReadonlyMap<number, IdMap>
  /** Detached file systems that start with a copy, by the index of their mount. */
  copyUpTrees: ReadonlyMap<number, Slot>
  /** Where Node takes what to copy. */
  readonly copyUpSocket?: Slot
  /** Opens bind sources that init has no right to. */
  sourceHelper?: HelperProcess
  /** Detached filesystem mounts that become read-only once everything inside them is made. */
  readonly lateReadonly: Slot[]
}

/** CLONE_NEW* kinds that the config creates anew or joins. */
export function hasNamespace(
  config: RuntimeConfig,
  type: string,
  how: 'new' | 'joined' | 'any',
): boolean {
  return (config.linux?.namespaces ?? []).some(
    (namespace) =>
      namespace.type === type &&
      (how === 'any' ||
        (namespace.path === undefined || namespace.path === '') === (how === 'new')),
  )
}
