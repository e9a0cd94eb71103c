namespace EventBus;

/// <summary>
/// Checks whether a subscription has room for another key of a handled event, and logs the beginning of a shortage
/// once. Not thread-safe.
/// </summary>
/// <param name="limit">The limit of the keys. When it is reached, new keys are refused.</param>
internal struct ProcessedRoom(StoreCapacity limit)
{
    // The number of keys from which an addition needs a check: first to log the shortage of room, and after that to
    // refuse the key when there is no room.
    private int checkFrom = limit.ShortFrom - 1;

    /// <summary>True if the next key needs a check, because it begins a shortage or may have no room.</summary>
    /// <param name="count">The number of the subscription's keys.</param>
    public readonly bool NeedsCheck(int count) => count >= checkFrom;

    /// <summary>Checks that there is room for one more key, and logs the beginning of a shortage.</summary>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="count">The number of its keys.</param>
    /// <exception cref="Stores.StoreRefusedException">There is no room.</exception>
    public void Check(string subscription, int count)
    {
        if (NeedsCheck(count))
        {
            var isShortageLogged = checkFrom == limit.Capacity;
            limit.CheckRoom(subscription, count, ref isShortageLogged);
            checkFrom = limit.Capacity;
        }
    }

    /// <summary>Ends a shortage if enough keys were removed, so that the next one is logged again.</summary>
    public void EndShortage(int count)
    {
        if (count < limit.ShortageEndsBelow)
        {
            checkFrom = limit.ShortFrom - 1;
        }
    }
}
