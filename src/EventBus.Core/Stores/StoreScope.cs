namespace EventBus.Stores;

/// <summary>Specifies what a store refuses.</summary>
public enum StoreScope
{
    /// <summary>
    /// Every write: the store is full, locked, read-only or loading. The bus takes no new events until the write
    /// succeeds.
    /// </summary>
    Store,

    /// <summary>
    /// New data of one subscription: there is no space for it. The bus takes no new events of that subscription until
    /// there is space.
    /// </summary>
    Subscription,

    /// <summary>
    /// This entry: it can never be written or read. The bus makes it a dead letter, reduced to what can be written.
    /// </summary>
    Entry,
}
