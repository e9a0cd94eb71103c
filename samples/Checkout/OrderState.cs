namespace Checkout;

/// <summary>The state of an order.</summary>
public enum OrderState
{
    /// <summary>The order is placed, and it is not known yet whether its card was charged.</summary>
    Pending,

    /// <summary>The card was charged: the order stands.</summary>
    Paid,

    /// <summary>The card was not charged and never will be: the order does not stand.</summary>
    Dropped,

    /// <summary>The customer has cancelled the order, which was paid.</summary>
    Cancelled,
}
