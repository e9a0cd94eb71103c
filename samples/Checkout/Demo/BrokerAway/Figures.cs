namespace Checkout.Demo;

/// <summary>The contents of the tables at one moment.</summary>
/// <param name="Orders">The number of orders that stand.</param>
/// <param name="Charges">The number of charges.</param>
/// <param name="Events">The number of events that arrived; copies of one event count once.</param>
/// <param name="Handled">The number of rows that a handler has committed with the mark of its event.</param>
/// <param name="Once">The number of orders that stand with one charge, one event and one such row each.</param>
/// <param name="Arrivals">The number of events that arrived, with copies.</param>
/// <param name="Due">The number of orders whose event is not marked as published.</param>
internal sealed record Figures(long Orders, long Charges, long Events, long Handled, long Once, long Arrivals, long Due)
{
    /// <summary>
    /// Returns true if the events of a number of orders are published and handled, and no other is due.
    /// </summary>
    public bool AreDone(int orders) => Handled >= orders && Events >= orders && Due == 0;
}
