using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Records the events that the broker itself has dead-lettered. Each event is written to the store before it is
/// acknowledged to the broker. Events of one subscription are recorded in order; a subscription whose events the store
/// does not accept does not block others.
/// </summary>
/// <param name="transport">The transport that provides the events.</param>
/// <param name="failures">Records the events.</param>
/// <param name="policies">Gets the failure policies, also of subscriptions that this application does not have.</param>
/// <param name="services">The clock and the log.</param>
internal sealed class BrokerDeadLetterLoop(Transport transport, FailureRecorder failures, FailurePolicies policies, BusServices services)
{
    private const string Activity = "given up";

    // The maximum size in bytes of the events that wait for the store: their bodies, plus a fixed size for each.
    // Further events stay with the broker.
    private const long MaxHeld = 16 * 1024 * 1024;
    private const int SizeWithoutBody = 4 * 1024;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, Line> lines = new(StringComparer.Ordinal);
    private Exception? failure;
    private long held;

    /// <summary>The subscriptions whose dead-lettered events the store does not accept, with the reason.</summary>
    public IEnumerable<(string Subscription, string Reason)> HeldSubscriptions =>
        lines.Select(line => (line.Key, line.Value.Slots.Intake.Reason)).Where(line => line.Reason is not null)!;

    /// <summary>Records dead-lettered events until the bus stops. Completes when no event is being recorded.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        try
        {
            await new ScheduledLoop(Activity, TakeAllAsync, Timeout.InfiniteTimeSpan, new WakeSignal(), services).RunAsync(stop);
        }
        finally
        {
            await Task.WhenAll(lines.Values.Select(line => line.Last));
        }
    }

    private async Task<DateTimeOffset?> TakeAllAsync(CancellationToken stop)
    {
        foreach (var (subscription, _) in lines.Where(line => line.Value.Last.IsCompleted))
        {
            lines.TryRemove(subscription, out _);
        }

        while (!failures.StoreIsDown
            && Interlocked.Read(ref held) < MaxHeld
            && await transport.TakeBrokerDeadLetterAsync(stop) is { } deadLetter)
        {
            Interlocked.Add(ref held, SizeOf(deadLetter));
            var line = lines.GetOrAdd(deadLetter.Subscription, _ => new Line());
            line.Last = KeepAfterAsync(line.Last, deadLetter, line.Slots);
            if (Interlocked.Exchange(ref failure, null) is { } last)
            {
                throw new EventBusException(
                    $"Events that the broker dead-lettered could not be stored: {ExceptionText.MessageOf(last)}",
                    last);
            }
        }

        return services.StoreTime.GetUtcNow() + Interval;
    }

    /// <summary>Records an event after the previous one of its subscription has completed. Never throws.</summary>
    private async Task KeepAfterAsync(Task earlier, BrokerDeadLetter deadLetter, ConcurrencyLimiter slots)
    {
        await earlier;
        try
        {
            await KeepAsync(deadLetter, slots);
        }
        catch (Exception exception)
        {
            Volatile.Write(ref failure, exception);
        }
        finally
        {
            Interlocked.Add(ref held, -SizeOf(deadLetter));
        }
    }

    private async Task KeepAsync(BrokerDeadLetter deadLetter, ConcurrencyLimiter slots)
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

    private static long SizeOf(BrokerDeadLetter deadLetter) => deadLetter.Delivery.Envelope.BodyLength + SizeWithoutBody;

    /// <summary>
    /// The events of one subscription that wait to be recorded. Has a limiter of its own, because all handlers of the
    /// subscription may hang.
    /// </summary>
    private sealed class Line
    {
        public ConcurrencyLimiter Slots { get; } = new(1);

        public Task Last { get; set; } = Task.CompletedTask;
    }
}
