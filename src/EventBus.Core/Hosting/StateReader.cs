using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Reads the values of some gauges from one store or from the backend.</summary>
/// <param name="services">Provides the clock and the log.</param>
internal abstract class StateReader(BusServices services)
{
    // The time after which a store or a backend that does not answer counts as down.
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <summary>The name of the activity in the log.</summary>
    protected abstract string Name { get; }

    /// <summary>True if a listener observes one of the gauges.</summary>
    protected abstract bool IsObserved { get; }

    /// <summary>Removes the values, so that nothing outdated is reported.</summary>
    public abstract void Clear();

    /// <summary>
    /// Reads the values if a listener observes one of the gauges. Removes them if they cannot be read; then the outage
    /// is logged once.
    /// </summary>
    /// <param name="stop">Cancels the wait.</param>
    public async Task ReadAsync(CancellationToken stop)
    {
        if (!IsObserved)
        {
            Clear();
            return;
        }

        using var deadline = stop.WithTimeout(Deadline, services.Time);
        try
        {
            await StoreCalls.UntilAsync(ReadValuesAsync(deadline.Token), services.Time, deadline.Token, stop);
            services.Log.Working(Name);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            Clear();
            var cause = exception is OperationCanceledException or TimeoutException
                ? new EventBusException($"There was no answer within {Deadline}.", exception)
                : exception;
            services.Log.Failing(Name, cause, log => log.StateNotRead(Name, cause));
        }
    }

    /// <summary>Reads the values and sets the gauges, unless the deadline has passed meanwhile.</summary>
    /// <param name="deadline">Cancelled when the time has elapsed.</param>
    /// <returns>True.</returns>
    protected abstract Task<bool> ReadValuesAsync(CancellationToken deadline);
}
