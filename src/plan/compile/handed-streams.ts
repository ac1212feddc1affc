/** The standard streams of a launcher that was started before anybody knew them (SCM_RIGHTS, unix(7)). */
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import { EXIT_ABANDONED } from './report-records.ts'

const EBADF = 9
const STREAMS = 3
const MESSAGE_SIZE = 16
const CONTROL_HEADER = 16 // CMSG_LEN(0) in 64-bit
const CONTROL_SIZE = 32 // CMSG_SPACE(3 * sizeof(int))

/**
 * Waits for Node to hand over 0, 1 and 2, which must be closed; ends the process when Node is gone. The kernel takes
 * the lowest free numbers (fs/file.c, receive_fd()).
 */
export function emitReceiveStreams(b: PlanBuilder, report: Slot): void {
  b.at('standby', () => {
    const message = b.zeros(MESSAGE_SIZE)
    const control = b.zeros(CONTROL_SIZE)
    const vector = b.words([message, MESSAGE_SIZE])
    // msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags
    const header = b.words([0, 0, vector, 1, control, CONTROL_SIZE, 0])
    const received = b.sys('recvmsg', [report, header, 0], { tolerate: ['ECONNRESET'] })
    const goOn = b.label()
    b.branch(received, 'gt', 0, goOn)
    b.exit(EXIT_ABANDONED)
    b.place(goOn)
    for (let stream = 0; stream < STREAMS; stream++) {
      const right = b.label()
      b.branch(b.load(4, control, CONTROL_HEADER + 4 * stream), 'eq', stream, right)
      b.fail(EBADF, 'a standard stream has another number')
      b.place(right)
    }
  })
}
