namespace EventBus.ReadModel;

/// <summary>The queries that run next to the checkouts.</summary>
internal enum Query
{
    /// <summary>The pieces of each product that a user bought: a sum over all orders of the user.</summary>
    Products,

    /// <summary>The latest 20 orders of a user.</summary>
    Page,
}
