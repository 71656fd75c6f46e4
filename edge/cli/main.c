/*
 * openclaw: the one program. Everything else is a command of it.
 */
#include "edge/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
