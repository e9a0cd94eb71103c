namespace EventBus.Stores;

/// <summary>Specifies what a store refuses.</summary>
public enum StoreScope
{
    /// <summary>
    /// The store refuses every write: it is full, locked, read-only or loading. The bus takes no new events until the
    /// write succeeds.
    /// </summary>
    Store,

    /// <summary>
    /// The store refuses new data of one subscription, because it has no space for it. The bus takes no new events of
    /// that subscription until there is space.
    /// </summary>
    Subscription,

    /// <summary>
    /// The store refuses this entry, which it can never write or read. The bus stores a dead letter in its place,
    /// reduced to the parts that can be written.
    /// </summary>
    Entry,
}
