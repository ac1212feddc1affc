/** A step that makes a layer: found in the cache, or done on a tree above the layers so far. */
import { errnoCodeOf, TsrunError } from '../../errors.ts'
import type { CachedLayer, CachedStep } from '../../images/build-cache.ts'
import type { HistoryEntry } from '../../oci/image.ts'
import type { BuildSession } from './build-session.ts'
import type { StageResult } from './stage-result.ts'
import { findStep, stepKey } from './step-cache.ts'
import { commitTree } from './step-layer.ts'
import { WorkTree } from './work-tree.ts'

type KeyParts = () => Promise<Readonly<Record<string, unknown>>>

export interface LayerStep {
  /** For progress: `[build 2/5] RUN make`. */
  readonly name: string
  /** For the history. */
  readonly createdBy: string
  /** Keys by which the result is known, the cheapest to compute first; each is all that it depends on. */
  readonly keys: readonly KeyParts[]
  /** The work reads the build context, which somebody may change meanwhile. */
  readonly readsContext: boolean
  /** Changes the tree; `unchanged` when there is nothing to keep as a layer. */
  readonly work: (tree: WorkTree, id: number) => Promise<'changed' | 'unchanged'>
}

/** The stage with the step's layer and history on top. */
export async function addLayerStep(
  session: BuildSession,
  stage: StageResult,
  step: LayerStep,
): Promise<StageResult> {
  const made = await session.step(step.name, (id) => findOrMake(session, stage, step, id))
  return withStep(stage, made, step.createdBy)
}

async function findOrMake(
  session: BuildSession,
  stage: StageResult,
  { keys, work, name, readsContext }: LayerStep,
  id: number,
): Promise<{ readonly cached: boolean; readonly result: CachedStep }> {
  const { builds } = session.store
  const tried: string[] = []
  for (const parts of keys) {
    const key = stepKey(session, stage.chainIds, await parts())
    const found = findStep(session, key)
    tried.push(key)
    if (found === undefined) continue
    for (const other of tried.slice(0, -1)) builds.add(other, found)
    return { cached: true, result: found }
  }
  const last = tried.at(-1) ?? ''
  using _ = await builds.claim(last, session.request.signal)
  // Another build may have made it while we waited.
  const made = findStep(session, last)
  if (made !== undefined) return { cached: true, result: made }
  const layer = await make(session, stage, work, id)
  const result: CachedStep = {
    version: 1,
    ...(layer === undefined ? {} : { layer }),
    created: session.now(),
    text: name,
  }
  if (!readsContext || (await areStill(session, stage, keys, tried))) {
    for (const key of tried) builds.add(key, result)
  } else session.request.onProgress({ type: 'warning', text: changedMeanwhile(name) })
  return { cached: false, result }
}

/** Whether the keys are what they were before the work: what was hashed is what was read. */
async function areStill(
  session: BuildSession,
  { chainIds }: StageResult,
  keys: readonly KeyParts[],
  before: readonly string[],
): Promise<boolean> {
  try {
    for (const [i, parts] of keys.entries())
      if (stepKey(session, chainIds, await parts()) !== before[i]) return false
    return true
  } catch (error) {
    // A file of the key is gone, or is no longer to be read.
    if (error instanceof TsrunError || errnoCodeOf(error) !== undefined) return false
    throw error
  }
}

function changedMeanwhile(name: string): string {
  return `files of the build context changed during ${name}: its result is not kept in the cache`
}

async function make(
  session: BuildSession,
  { chainIds }: StageResult,
  work: LayerStep['work'],
  id: number,
): Promise<CachedLayer | undefined> {
  using tree = await WorkTree.open(session.engine, chainIds)
  if ((await work(tree, id)) === 'unchanged') return undefined
  return await commitTree(tree, chainIds, session.latestTime)
}

function withStep(
  stage: StageResult,
  { layer, created }: CachedStep,
  createdBy: string,
): StageResult {
  const entry: HistoryEntry = { created, created_by: createdBy }
  if (layer === undefined) return withHistory(stage, createdBy)
  return {
    ...stage,
    layers: [...stage.layers, { diffId: layer.diffId, descriptor: undefined }],
    chainIds: layer.chainIds,
    history: [...stage.history, entry],
    created: created > stage.created ? created : stage.created,
  }
}

/** The stage with an instruction in its history that makes no layer. */
export function withHistory(stage: StageResult, createdBy: string): StageResult {
  const entry = { created: stage.created, created_by: createdBy, empty_layer: true }
  return { ...stage, history: [...stage.history, entry] }
}
