/*
 * tap_filter_ops: what stands in a filter's nodes. tap_filter_parse.c puts it there,
 * tap_filter.c judges by it. Only they include this.
 */
#ifndef BUS_TAP_FILTER_OPS_H
#define BUS_TAP_FILTER_OPS_H

enum node_op {
    OP_AND,
    OP_OR,
    OP_NOT,
    OP_EQ,
    OP_NE,
    OP_GLOB,
    OP_NOT_GLOB,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
};

#endif
