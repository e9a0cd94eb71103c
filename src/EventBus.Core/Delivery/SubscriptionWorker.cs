using System.Threading.Channels;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Takes the deliveries of one subscription and passes them to the processor, never more at once than the concurrency
/// limit.
/// </summary>
/// <remarks>
/// One pump reads. A handler that completes synchronously runs on the pump itself. A handler that awaits returns the
/// thread to the pump and keeps its slot. When a handler was found to block its thread, every pump starts a helper
/// before it takes the next delivery: up to the number of slots, as long as deliveries are waiting.
/// </remarks>
internal class SubscriptionWorker(
    SubscriptionRuntime subscription,
    Receiver receiver,
    DeliveryProcessor processor,
    FailureRecorder failures,
    BusServices services) : IAsyncDisposable
{
    // A handler that blocks its thread longer than this justifies another thread.
    private static readonly TimeSpan Blocking = TimeSpan.FromMilliseconds(1);

    private readonly ConcurrencyLimiter slots = subscription.Slots;
    private readonly long blockingTicks = (long)(Blocking.TotalSeconds * services.Time.TimestampFrequency);
    private readonly TimeProvider time = services.Time;

    // True if the last handler blocked its thread.
    private volatile bool blocks;

    public string Name => subscription.Name;

    public int Concurrency => subscription.Subscription.Concurrency;

    public IReadOnlyList<EventPattern> Patterns => subscription.Subscription.Patterns;

    /// <summary>The gate that an operator closes to pause the subscription.</summary>
    public IntakeGate OperatorGate { get; } = new();

    /// <summary>The number of deliveries that wait; null if the transport does not count them.</summary>
    public long? WaitingCount => Deliveries.CanCount ? Deliveries.Count : null;

    /// <summary>The reason why it takes no events although no operator has paused it; null for none.</summary>
    public string? Problem
    {
        get
        {
            if (HasEnded)
            {
                return "Its intake has ended. Restart this instance.";
            }

            var isPaused = CircuitBreaker is { IsPaused: true };
            return HeldBecause ?? (isPaused ? "Its circuit breaker has paused it, because its last attempts failed." : null);
        }
    }

    /// <summary>True if the worker takes no more events. While the bus runs, this is a fault.</summary>
    public virtual bool HasEnded => Pump.IsCompleted;

    /// <inheritdoc cref="RedeliveryAdmission.EntryWaits"/>
    public bool RedeliveredEntryWaits => processor.RedeliveredEntryWaits;

    private Task Pump { get; set; } = Task.CompletedTask;

    protected SubscriptionRuntime Runtime => subscription;

    protected DeliveryProcessor Processor => processor;

    protected FailureRecorder Failures => failures;

    protected BusServices Services => services;

    protected ChannelReader<Delivery> Deliveries { get; } = receiver.Deliveries;

    /// <summary>True if the bus stops during a pause: deliveries that were taken and not begun are released.</summary>
    protected bool IsOver => OperatorGate.IsOver || CircuitBreaker is { IsOver: true };

    public void Start() => Pump = services.Runner.Start($"{Name} pump", PumpAsync);

    /// <summary>
    /// The reason why a running worker takes no deliveries: the store does not accept a write that it needs. Null for
    /// none.
    /// </summary>
    public string? HeldBecause => slots.Intake.Reason;

    /// <summary>The circuit breaker; null when not configured.</summary>
    public SubscriptionCircuitBreaker? CircuitBreaker => subscription.CircuitBreaker;

    /// <summary>True if a delivery is waiting, as far as the transport can report it.</summary>
    public virtual bool HasWaiting => Deliveries.CanCount ? Deliveries.Count > 0 : Deliveries.TryPeek(out _);

    /// <summary>Ends pauses because the bus stops.</summary>
    /// <param name="letThrough">
    /// True to let the queued events through as if there were no pause, because they exist nowhere else.
    /// </param>
    public void StopPauses(bool letThrough)
    {
        OperatorGate.Stop(letThrough);
        CircuitBreaker?.Stop(letThrough);
    }

    /// <summary>Stops taking deliveries, and releases those that have not begun.</summary>
    public ValueTask StopIntakeAsync() => receiver.StopIntakeAsync();

    /// <summary>Completes when no delivery is in flight. Call it after <see cref="StopIntakeAsync"/>.</summary>
    public async Task DrainAsync()
    {
        await Pump;

        // A slot whose caller waits for a held write counts as taken.
        await slots.TakeAllAsync();
    }

    /// <summary>
    /// Retries a failed event within the concurrency limit. If the bus aborts first, the entry is released to the
    /// store.
    /// </summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="probe">
    /// The number of the probe if the retry is one, while the subscription is paused; 0 otherwise.
    /// </param>
    /// <param name="lost">Cancelled when the claim is lost.</param>
    public virtual async Task RetryAsync(FailedEvent entry, long probe, CancellationToken lost)
    {
        try
        {
            await slots.TakeForRetryAsync(services.Abort);
        }
        catch (OperationCanceledException)
        {
            await failures.Releaser.ReleaseAtStopAsync(entry);
            return;
        }

        try
        {
            if (services.Abort.IsCancellationRequested)
            {
                // The slot was released by a handler that the stop has just cancelled.
                await failures.Releaser.ReleaseAtStopAsync(entry);
            }
            else if (probe == 0 && (OperatorGate.IsClosed || CircuitBreaker is { IsPaused: true }))
            {
                await failures.Releaser.ReleaseAsync(entry, slots);
            }
            else
            {
                await processor.RetryAsync(entry, lost);
            }
        }
        finally
        {
            CircuitBreaker?.EndProbe(probe);
            slots.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        StopPauses(letThrough: false);
        await receiver.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected virtual async Task PumpAsync()
    {
        do
        {
            await TakeWaitingAsync();
        }
        while (!services.Abort.IsCancellationRequested && !IsOver && await Deliveries.WaitToReadAsync());
    }

    /// <summary>Handles the waiting deliveries, and returns when there are none.</summary>
    private async Task TakeWaitingAsync()
    {
        // The pump holds a slot while it runs handlers. A handler that continues asynchronously keeps that slot.
        await NextSlotAsync();
        try
        {
            var startedAt = time.GetTimestamp();

            // When the drain timeout has expired, no delivery begins, even if the transport still has some.
            while (!services.Abort.IsCancellationRequested && TryTake(out var delivery, out var probe))
            {
                if (blocks && slots.AnyFree && (!Deliveries.CanCount || Deliveries.Count > 0))
                {
                    services.Runner.Observe(services.Runner.Start($"{Name} helper", TakeWaitingAsync));
                }

                var handling = probe == 0
                    ? processor.HandleAsync(delivery, startedAt)
                    : new ValueTask(ProbeAsync(delivery, startedAt, probe));
                var returnedAt = time.GetTimestamp();
                blocks = returnedAt - startedAt > blockingTicks;
                startedAt = returnedAt;
                if (!handling.IsCompletedSuccessfully)
                {
                    services.Runner.Observe(ReleaseSlotAfterAsync(handling));
                    await NextSlotAsync();
                    startedAt = time.GetTimestamp();
                }
                else if (slots.RetriesWait)
                {
                    // A retry gets the slot.
                    slots.Release();
                    await NextSlotAsync();
                    startedAt = time.GetTimestamp();
                }
            }
        }
        finally
        {
            slots.Release();
            services.Idle.Set();
        }
    }

    /// <summary>
    /// Takes the next delivery. While the subscription is paused, takes only one, when a probe is due.
    /// </summary>
    private bool TryTake(out Delivery delivery, out long probe)
    {
        delivery = default;
        probe = 0;
        if (OperatorGate.IsClosed || CircuitBreaker?.TryEnter(out probe) == false)
        {
            return false;
        }

        var taken = Deliveries.TryRead(out delivery);
        if (!taken)
        {
            CircuitBreaker?.Withdraw(probe);
        }

        return taken;
    }

    private async Task ProbeAsync(Delivery delivery, long now, long probe)
    {
        try
        {
            await processor.HandleAsync(delivery, now);
        }
        finally
        {
            CircuitBreaker!.EndProbe(probe);
        }
    }

    /// <summary>
    /// Takes a slot for the next delivery. Waits while the store accepts no writes, or none of this subscription,
    /// because a failure could not be recorded; and while the subscription is paused.
    /// </summary>
    private async Task NextSlotAsync()
    {
        await slots.Intake.WhenOpenAsync();
        if (CircuitBreaker is { } breaker)
        {
            await breaker.WhenMayEnterAsync();
        }

        await OperatorGate.WhenOpenAsync();
        await slots.TakeAsync();
    }

    private async Task ReleaseSlotAfterAsync(ValueTask handling)
    {
        try
        {
            await handling;
        }
        finally
        {
            slots.Release();
            services.Idle.Set();
        }
    }
}
