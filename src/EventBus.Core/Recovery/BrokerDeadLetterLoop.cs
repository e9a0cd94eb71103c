using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Records the events that the broker itself has dead-lettered. Each event is written to the store before it is
/// acknowledged to the broker. Events of one subscription are recorded in order. A subscription whose events the store
/// does not accept does not block others, until the events that wait for the store reach their limit in bytes.
/// </summary>
/// <param name="transport">The transport that provides the events.</param>
/// <param name="failures">Records the events.</param>
/// <param name="policies">
/// Gets the failure policies, also for subscriptions that this application does not have.
/// </param>
/// <param name="services">The clock and the log.</param>
internal sealed class BrokerDeadLetterLoop(Transport transport, FailureRecorder failures, FailurePolicies policies, BusServices services)
{
    private const string Activity = "recording what the broker dead-lettered";

    // The limit, in bytes, of the events that wait for the store: their bodies, plus an estimate for everything else
    // of an event. When it is reached, further events stay with the broker.
    private const long MaxHeldBytes = 16 * 1024 * 1024;
    private const int BytesWithoutBody = 4 * 1024;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // By the name of the subscription.
    private readonly ConcurrentDictionary<string, Backlog> backlogs = new(StringComparer.Ordinal);

    // The latest error of a recording that was not reported yet.
    private Exception? unreported;
    private long heldBytes;

    /// <summary>
    /// The subscriptions whose dead-lettered events the store does not accept, with the reason. A write that the store
    /// does not accept closes the gate of its limiter (<see cref="HeldWrite"/>).
    /// </summary>
    public IEnumerable<(string Subscription, string Reason)> HeldSubscriptions =>
        backlogs.Select(backlog => (backlog.Key, backlog.Value.Slots.Intake.Reason)).Where(held => held.Reason is not null)!;

    /// <summary>Records dead-lettered events until the bus stops. Completes when no event is being recorded.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            await new ScheduledLoop(Activity, TakeAllAsync, Timeout.InfiniteTimeSpan, new WakeSignal(), services).RunAsync(stop);
        }
        finally
        {
            await Task.WhenAll(backlogs.Values.Select(backlog => backlog.LastRecording));
        }
    }

    private async Task<DateTimeOffset?> TakeAllAsync(CancellationToken stop)
    {
        foreach (var (subscription, _) in backlogs.Where(backlog => backlog.Value.LastRecording.IsCompleted))
        {
            backlogs.TryRemove(subscription, out _);
        }

        while (!failures.StoreIsDown && Interlocked.Read(ref heldBytes) < MaxHeldBytes)
        {
            var deadLetter = await transport.TakeBrokerDeadLetterAsync(stop);
            if (deadLetter is null)
            {
                break;
            }

            Interlocked.Add(ref heldBytes, SizeOf(deadLetter));
            var backlog = backlogs.GetOrAdd(deadLetter.Subscription, _ => new Backlog());
            backlog.LastRecording = RecordAfterAsync(backlog.LastRecording, deadLetter, backlog.Slots);

            // ScheduledLoop logs the error and waits. Without the wait, an event that was released after the error
            // would be taken again at once, in an endless loop.
            var error = Interlocked.Exchange(ref unreported, null);
            if (error is not null)
            {
                throw new EventBusException(
                    "An event that the broker dead-lettered could not be recorded. It was released, and is taken again: "
                        + ExceptionText.MessageOf(error),
                    error);
            }
        }

        return services.StoreTime.GetUtcNow() + Interval;
    }

    /// <summary>Records an event after the previous one of its subscription has completed. Never throws.</summary>
    private async Task RecordAfterAsync(Task earlier, BrokerDeadLetter deadLetter, ConcurrencyLimiter slots)
    {
        await earlier;
        try
        {
            await RecordAsync(deadLetter, slots);
        }
        catch (Exception exception)
        {
            Volatile.Write(ref unreported, exception);
        }
        finally
        {
            Interlocked.Add(ref heldBytes, -SizeOf(deadLetter));
        }
    }

    private async Task RecordAsync(BrokerDeadLetter deadLetter, ConcurrencyLimiter slots)
    {
        var policy = policies.Of(deadLetter.Subscription);
        await slots.TakeAsync();
        try
        {
            await failures.RecordAsync(
                policy,
                policy.Fresh(deadLetter.Delivery.Envelope, attempts: 0),
                new Rejected(new Rejection(deadLetter.Reason, deadLetter.Error)),
                slots);
        }
        catch (Exception)
        {
            await deadLetter.Delivery.ReleaseAsync();
            throw;
        }
        finally
        {
            slots.Release();
        }

        await deadLetter.Delivery.AckAsync();
    }

    private static long SizeOf(BrokerDeadLetter deadLetter) => deadLetter.Delivery.Envelope.BodyLength + BytesWithoutBody;

    /// <summary>
    /// The events of one subscription that wait to be recorded, one after another. Has a limiter of its own, because
    /// handlers that hang may hold all slots of the subscription.
    /// </summary>
    private sealed class Backlog
    {
        public ConcurrencyLimiter Slots { get; } = new(1);

        /// <summary>The recording of the latest event, which ends after those of all earlier events.</summary>
        public Task LastRecording { get; set; } = Task.CompletedTask;
    }
}
