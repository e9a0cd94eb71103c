using EventBus.Stores;

namespace EventBus;

/// <summary>Chooses the clock for due times and leases.</summary>
internal static class StoreClock
{
    /// <summary>
    /// Gets the clock of the stores. Durable stores provide it themselves (<see cref="BusStores.CreateClock"/>). For
    /// stores that end with the process, and for the delays of broker queues, it is a clock that never goes back.
    /// </summary>
    /// <param name="stores">The stores; null if the bus has none.</param>
    /// <param name="time">The clock of the application.</param>
    public static TimeProvider Of(BusStores? stores, TimeProvider time)
    {
        if (stores is null)
        {
            return time;
        }

        var areRetriesInBroker = stores.Failures is not (null or KeyedFailureStore);
        return !stores.Durable || areRetriesInBroker ? new MonotonicTimeProvider(time) : stores.CreateClock(time);
    }
}
