/*
 * take-dom-exc: have Xen tell this domain when another has ended.
 *
 * That goes to the hardware domain unless it is asked to do otherwise; but xenstored,
 * which lets go of the domain and tells xl, is in domain 0. It would wait for ever.
 */
#include <err.h>

#include <xenctrl.h>

int main(void)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);

    if (!xch || xc_domain_set_virq_handler(xch, 0, VIRQ_DOM_EXC))
        err(1, "VIRQ_DOM_EXC");
    return xc_interface_close(xch);
}
