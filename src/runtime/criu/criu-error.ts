/** Failures that are criu's own. */
import { TsrunError } from '../../errors.ts'

/** criu could not do what it was asked to: its log says why. */
export class CriuError extends TsrunError {}

export function criuIsGone(): CriuError {
  return new CriuError('failed-precondition', 'criu ended before it answered')
}
