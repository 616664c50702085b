/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Without an operating system, on the Arm machine virt with two CPUs and an
 * SMMUv3 at SMMU: CPU 1 waits for an event, with the event stream off, and CPU 0
 * has the SMMU carry out the command that the loader put into its queue.
 *
 * UART: "W" if CPU 1 woke within two seconds, "S" if it slept on, "!" if it
 * could not be started, or was awake before the command.
 */
        .equ    SMMU,     0x0c000000
        .equ    UART,     0x09000000
        .equ    QUEUE,    0x48000000
        .equ    FLAGS,    0x48001000
        .equ    CPU_ON,   0xc4000003
        .equ    OFF,      0x84000008

        .globl  _start
_start: ldr     x19, =FLAGS
        str     xzr, [x19]              /* CPU 1 is about to wait */
        str     xzr, [x19, #8]          /* and has gone on */
        ldr     x20, =SMMU
        ldr     x1, =QUEUE + 3          /* eight commands */
        str     x1, [x20, #0x90]        /* CMDQ_BASE */
        str     wzr, [x20, #0x98]       /* CMDQ_PROD */
        str     wzr, [x20, #0x9c]       /* CMDQ_CONS */
        mov     w1, #8                  /* CMDQEN */
        str     w1, [x20, #0x20]        /* CR0 */
1:      ldr     w2, [x20, #0x24]        /* CR0ACK */
        cmp     w1, w2
        b.ne    1b

        ldr     x0, =CPU_ON
        mov     x1, #1
        adr     x2, second
        mov     x3, #0
        hvc     #0
        mov     w21, #'!'
        cbnz    x0, tell
2:      ldr     x0, [x19]
        cbz     x0, 2b
        mov     x22, #2                 /* half a second: it waits by now */
        bl      pause
        ldr     x0, [x19, #8]
        cbnz    x0, tell

        mov     w1, #1
        str     w1, [x20, #0x98]        /* CMDQ_PROD: one command */
        mov     w21, #'W'
        mrs     x24, cntvct_el0
        mrs     x25, cntfrq_el0
        add     x24, x24, x25, lsl #1   /* two seconds */
3:      ldr     x0, [x19, #8]
        cbnz    x0, tell
        mrs     x0, cntvct_el0
        cmp     x0, x24
        b.lo    3b
        mov     w21, #'S'

tell:   ldr     x0, =UART
        str     w21, [x0]
        mov     w1, #'\n'
        str     w1, [x0]
        ldr     x0, =OFF
        hvc     #0
        b       .

pause:  mrs     x0, cntvct_el0          /* a second divided by x22 */
        mrs     x1, cntfrq_el0
        udiv    x1, x1, x22
        add     x0, x0, x1
4:      mrs     x1, cntvct_el0
        cmp     x1, x0
        b.lo    4b
        ret

second: msr     cntkctl_el1, xzr        /* no event stream */
        isb
        ldr     x19, =FLAGS
        sevl
        wfe                             /* takes the event that may be there */
        mov     x0, #1
        str     x0, [x19]
        dsb     sy
        wfe
        str     x0, [x19, #8]
        dsb     sy
5:      wfi
        b       5b
