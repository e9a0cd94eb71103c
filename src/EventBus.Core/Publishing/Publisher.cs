using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Creates the envelopes of events and sends them to the transport. Thread-safe.</summary>
internal sealed class Publisher
{
    private const int BatchSize = 512;

    private readonly Transport transport;
    private readonly DelayStore? delays;
    private readonly EventRegistry events;
    private readonly PublishValidator guard;
    private readonly PublisherEnvironment environment;
    private readonly TimeProvider time;
    private readonly BusDiagnostics diagnostics;
    private readonly DeadlineTokens deadlines;
    private readonly BatchSender batches;
    private readonly bool durable;

    private readonly SendBufferPool slots = new();

    public Publisher(Transport transport, DelayStore? delays, EventRegistry events, PublishValidator guard, PublisherEnvironment environment)
    {
        (this.transport, this.delays, this.events, this.guard, this.environment) = (transport, delays, events, guard, environment);
        (time, diagnostics, durable) = (environment.Time, environment.Diagnostics, transport.Features.Durable);
        deadlines = new DeadlineTokens(time, environment.Timeout, TimeSpan.FromMilliseconds(250), TimeSpan.TicksPerSecond, CancellationToken.None);
        batches = new BatchSender(transport, deadlines, time, diagnostics, (envelope, deadline, cancellationToken) => SendObservedAsync(envelope, DescriptorOf(envelope), deadline, cancellationToken));
    }

    /// <summary>The name of the bus on the backend and in the stores.</summary>
    public string ServiceName => environment.ServiceName;

    /// <summary>The prefix of idempotency keys; empty for the default bus.</summary>
    public string EffectPrefix => environment.EffectPrefix;

    /// <summary>The transport without retries.</summary>
    public required Transport Once { private get; init; }

    /// <summary>Called after an event was added to the delay store.</summary>
    public Action? Delayed { get; set; }

    public Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled(cancellationToken);
        }

        var descriptor = Descriptor(@event);
        if (!transport.MayHaveSubscribers(descriptor.Name) && (options is null || descriptor.RequiresSubscriber) && !environment.StoresWrite)
        {
            return EndUnrouted(descriptor, null);
        }

        var now = time.GetUtcNow().UtcTicks;
        var envelope = Create(descriptor, @event, options, now, Inherited.None);
        return options is { Timeout: not null } or { NotBefore: not null } or { Delay: not null } || diagnostics.ObservesPublish
            ? SendObservedAsync(envelope, descriptor, options?.Timeout, cancellationToken)
            : Send(envelope, descriptor, deadlines.Token(now), cancellationToken);
    }

    public async Task PublishManyAsync<TEvent>(IReadOnlyList<TEvent> list, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        if (options?.EventId is not null)
        {
            throw new PublishException("PublishManyAsync cannot give every event of a list the same id. Leave PublishOptions.EventId out, or publish one by one.", PublishFailure.Rejected, null);
        }

        cancellationToken.ThrowIfCancellationRequested();
        var count = CountOf(list);
        var run = new BatchProgress(count);
        var envelopes = new Envelope[Math.Min(BatchSize, count)];
        var positions = new int[envelopes.Length];
        var outcomes = new PublishOutcome[envelopes.Length];
        var inTime = true;
        for (var next = 0; next < count && inTime;)
        {
            var filled = 0;
            for (; next < count && filled < envelopes.Length; next++)
            {
                if (TryPrepare(list, options, run, next) is { } envelope)
                {
                    positions[filled] = next;
                    envelopes[filled++] = envelope;
                }
            }

            outcomes.AsSpan().Clear();
            inTime = await batches.SendAsync(envelopes.AsMemory(0, filled), outcomes.AsMemory(0, filled), options?.Timeout, cancellationToken);
            for (var i = 0; i < filled; i++)
            {
                run.Conclude(positions[i], envelopes[i], Conclude(outcomes[i], envelopes[i], envelopes[i].Descriptor!));
            }

            for (; !inTime && next < count; next++)
            {
                run.Reject(next, null, new PublishException($"The event at position {next} was not sent: earlier events of the list were not accepted in time.", PublishFailure.Failed, null));
            }
        }

        run.ThrowIfAnyFailed();
    }

    /// <summary>Creates the envelope of an event that a handler publishes through its context.</summary>
    public Envelope CreateFollowUp(object @event, PublishOptions? options, Envelope parent, string subscription, int ordinal) =>
        Create(Descriptor(@event), @event, options, time.GetUtcNow().UtcTicks, new Inherited(EventIds.Derive(environment.ServiceName, parent.Id, subscription, ordinal), parent.CorrelationId, parent.Id));

    /// <summary>Creates the envelope of an event that a saga publishes.</summary>
    /// <param name="event">The event.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <param name="sagaId">
    /// The id of the saga. It becomes the correlation id, and the key if the event has no other key.
    /// </param>
    /// <param name="origin">The part of the saga that publishes the event.</param>
    /// <param name="ordinal">The ordinal of the event within that part.</param>
    public Envelope CreateForSaga(object @event, PublishOptions? options, string sagaId, string origin, int ordinal) =>
        options is { CorrelationId: not null }
            ? throw new PublishException("Events that a saga publishes have the saga's id as correlation id, so that replies find it. Leave PublishOptions.CorrelationId out.", PublishFailure.Rejected, null)
            : Create(Descriptor(@event), @event, options, time.GetUtcNow().UtcTicks, new Inherited(EventIds.Derive(environment.ServiceName, sagaId, origin, ordinal), sagaId, null, sagaId));

    /// <summary>Returns true if an event type may have subscribers, as far as this process knows.</summary>
    public bool MayBeHeard<TEvent>() => transport.MayHaveSubscribers(events.For(typeof(TEvent)).Name);

    /// <summary>Sends the events that a handler published through its context, after it has succeeded.</summary>
    public async Task SendFollowUpsAsync(IReadOnlyList<Envelope> outbox)
    {
        if ((await TrySendAsync(outbox)).FirstOrDefault(problem => problem is not null) is { } first)
        {
            throw first;
        }
    }

    /// <summary>Sends stored events. Returns the error of each event; null for accepted events.</summary>
    public async Task<PublishException?[]> TrySendAsync(IReadOnlyList<Envelope> outbox)
    {
        var outcomes = new PublishOutcome[outbox.Count];
        await batches.SendAsync(outbox.ToArray(), outcomes, null, CancellationToken.None);
        return [.. outcomes.Select((outcome, i) => Conclude(outcome, outbox[i], DescriptorOf(outbox[i])))];
    }

    /// <summary>
    /// Publishes an event whose time has come, with one attempt. The event stays in its store until it is accepted, and
    /// retries would delay the other due events.
    /// </summary>
    public Task SendDueAsync(Envelope envelope) => Send(Once, envelope, DescriptorOf(envelope), deadlines.Token(time.GetUtcNow().UtcTicks), CancellationToken.None);

    private EventDescriptor Descriptor(object @event) => events.For(@event.GetType());

    /// <summary>
    /// Returns the descriptor of an event that may come from a store. If another version of this application stored it,
    /// this version may not know the event.
    /// </summary>
    private EventDescriptor DescriptorOf(Envelope envelope) =>
        envelope.Descriptor ?? events.Find(envelope.Name, envelope.Version) ?? new EventDescriptor(typeof(object), envelope.Name, envelope.Version);

    private Envelope Create(EventDescriptor descriptor, object @event, PublishOptions? options, long now, Inherited inherited)
    {
        var headers = guard.Check(options);
        var key = options?.Key ?? KeyOf(descriptor, @event) ?? inherited.Key;
        guard.CheckKey(key);
        var extras = options is { EventId: not null } or { CorrelationId: not null } or { NotBefore: not null } or { Delay: not null } || headers is not null || inherited.IsAny
            ? new EnvelopeExtras
            {
                Id = options?.EventId,
                CorrelationId = options?.CorrelationId ?? inherited.CorrelationId,
                CausationId = inherited.CausationId,
                Headers = headers,
                NotBefore = options?.NotBefore ?? DueAfter(options?.Delay, now),
            }
            : null;
        var envelope = new Envelope(descriptor, @event, inherited.IsAny ? inherited.Id : environment.Ids.Next(now), now, extras)
        {
            Key = key,
            TraceParent = BusDiagnostics.CurrentTraceParent(),
            FromHandler = inherited.IsAny || environment.Runner.RunsCaller,
            IdIsDerived = inherited.IsAny && options?.EventId is null,
        };

        // Events of sagas are stored as bytes in every store. With a durable store, any event may have to be stored.
        guard.CheckSize(envelope, descriptor, environment.StoresWrite || inherited.Key is not null);
        return envelope;
    }

    private static DateTimeOffset? DueAfter(TimeSpan? delay, long now) =>
        delay is { } wait ? new DateTimeOffset(Math.Min(wait.Ticks, DateTimeOffset.MaxValue.UtcTicks - now) + now, TimeSpan.Zero) : null;

    /// <summary>
    /// Returns the number of events in a list. The list may be an implementation of the application, which may throw.
    /// </summary>
    private static int CountOf<TEvent>(IReadOnlyList<TEvent> list)
    {
        try
        {
            return list.Count;
        }
        catch (Exception exception)
        {
            throw new PublishException($"The list of events cannot be read: {ExceptionText.Of(exception)}", PublishFailure.Rejected, null, exception);
        }
    }

    /// <summary>
    /// Returns the key by the function that was declared for the event type. This runs application code.
    /// </summary>
    private static string? KeyOf(EventDescriptor descriptor, object @event)
    {
        try
        {
            return descriptor.KeyOf?.Invoke(@event);
        }
        catch (Exception exception)
        {
            throw new PublishException(
                $"The event '{descriptor.Name}' was not published: the function given to KeyedBy for {descriptor.Type} threw {ExceptionText.Of(exception)}", PublishFailure.Rejected, null, exception);
        }
    }

    private Task Send(Envelope envelope, EventDescriptor descriptor, CancellationToken deadline, CancellationToken cancellationToken) => Send(transport, envelope, descriptor, deadline, cancellationToken);

    private Task Send(Transport transport, Envelope envelope, EventDescriptor descriptor, CancellationToken deadline, CancellationToken cancellationToken)
    {
        var slot = slots.Take();
        slot.Envelopes[0] = envelope;
        ValueTask sending;
        try
        {
            sending = transport.PublishAsync(slot.Envelopes, slot.Outcomes, deadline);
        }
        catch (Exception exception)
        {
            return Task.FromException(InDoubt(envelope, exception));
        }

        if (!sending.IsCompletedSuccessfully)
        {
            return AwaitSendAsync(sending, slot, descriptor, cancellationToken);
        }

        var outcome = slot.Outcomes[0];
        slots.GiveBack(slot);
        return outcome.Status == PublishStatus.Accepted ? Task.CompletedTask
            : Conclude(outcome, envelope, descriptor) is { } problem ? Task.FromException(problem)
            : Task.CompletedTask;
    }

    private async Task AwaitSendAsync(ValueTask sending, SendBuffer slot, EventDescriptor descriptor, CancellationToken cancellationToken)
    {
        try
        {
            // The caller's token only cancels the wait: the transport keeps the buffer.
            await (cancellationToken.CanBeCanceled ? new ValueTask(sending.AsTask().Observed().WaitAsync(cancellationToken)) : sending);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw InDoubt(slot.Envelopes[0], exception);
        }

        var (outcome, envelope) = (slot.Outcomes[0], slot.Envelopes[0]);
        slots.GiveBack(slot);
        if (Conclude(outcome, envelope, descriptor) is { } problem)
        {
            throw problem;
        }
    }

    /// <summary>Sends with telemetry, a separate timeout or a delay. Slower than the direct path.</summary>
    private async Task SendObservedAsync(Envelope envelope, EventDescriptor descriptor, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var ownDeadline = timeout is { } own ? new CancellationTokenSource(own, time) : null;
        try
        {
            await SendObservedAsync(envelope, descriptor, ownDeadline?.Token ?? deadlines.Token(time.GetUtcNow().UtcTicks), cancellationToken);
        }
        finally
        {
            // A send whose caller was cancelled continues and still needs its deadline.
            if (!cancellationToken.IsCancellationRequested)
            {
                ownDeadline?.Dispose();
            }
        }
    }

    private async Task SendObservedAsync(Envelope envelope, EventDescriptor descriptor, CancellationToken deadline, CancellationToken cancellationToken)
    {
        var startedAt = time.GetTimestamp();
        using var activity = diagnostics.StartPublish(envelope.Name, envelope.TraceParent, envelope.TraceState);
        envelope.TraceParent = activity?.Id ?? envelope.TraceParent;
        string? error = null;
        try
        {
            await (envelope.NotBefore is { } dueAt && dueAt > time.GetUtcNow()
                ? DelayAsync(envelope, dueAt, deadline, cancellationToken)
                : Send(envelope, descriptor, deadline, cancellationToken));
        }
        catch (Exception exception)
        {
            error = (exception as PublishException)?.Failure.ToString() ?? exception.GetType().FullName;
            throw;
        }
        finally
        {
            diagnostics.Published(activity, descriptor.Name, envelope.Id, startedAt, error);
        }
    }

    private async Task DelayAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken deadline, CancellationToken cancellationToken)
    {
        if (delays is null)
        {
            throw new PublishException($"The event '{envelope.Name}' cannot be delayed: no configured store keeps delayed events. Add one, for instance bus.StoreInMemory().", PublishFailure.Rejected, envelope.Id);
        }

        // The due time is a wall clock time of the application. From here on, the delay is measured as elapsed time,
        // and scheduled by the clock of the stores.
        var (wait, since) = (dueAt - time.GetUtcNow(), time.GetTimestamp());
        for (var backoff = RetryingTransport.FirstBackoff; ; backoff = RetryingTransport.Longer(backoff))
        {
            try
            {
                await StoreCalls.UntilAsync(AddAsync(delays, envelope, deadline), time, deadline, cancellationToken);
                break;
            }
            catch (StoreRefusedException exception) when (exception.Scope != StoreScope.Entry && !deadline.IsCancellationRequested)
            {
                // The store has not taken the event, and may take it later.
                await Task.Delay(backoff, time, deadline).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                cancellationToken.ThrowIfCancellationRequested();
                if (deadline.IsCancellationRequested)
                {
                    throw NotKept(exception);
                }
            }
            catch (InvalidOperationException exception)
            {
                throw NotKept(exception);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                throw InDoubt(envelope, exception);
            }
        }

        Delayed?.Invoke();

        PublishException NotKept(InvalidOperationException exception) => new(
            $"The event '{envelope.Name}' {envelope.Id} was not kept for its time: {ExceptionText.MessageOf(exception)}",
            exception is StoreRefusedException { Scope: StoreScope.Entry } ? PublishFailure.Rejected : PublishFailure.Failed,
            envelope.Id, exception);

        async Task<bool> AddAsync(DelayStore delays, Envelope envelope, CancellationToken deadline)
        {
            // The elapsed time is read first: if the thread is suspended between the two reads, the event must not
            // become due too early.
            var left = wait - time.GetElapsedTime(since);
            var now = environment.Plans.GetUtcNow();
            await delays.AddAsync(envelope, left < DateTimeOffset.MaxValue - now ? now + left : DateTimeOffset.MaxValue, deadline);
            return true;
        }
    }

    private Envelope? TryPrepare<TEvent>(IReadOnlyList<TEvent> list, PublishOptions? options, BatchProgress run, int position)
        where TEvent : notnull
    {
        object? @event = null;
        try
        {
            @event = list[position];
            if (@event is null)
            {
                throw new PublishException($"The event at position {position} of the list is null.", PublishFailure.Rejected, null);
            }

            var descriptor = Descriptor(@event);
            if (run.HoldsBackAny && run.IsHeldBack(options?.Key ?? KeyOf(descriptor, @event)))
            {
                throw new PublishException($"The event at position {position} was not sent, because an earlier event of the same key was not accepted.", PublishFailure.Failed, null);
            }

            return Create(descriptor, @event, options, time.GetUtcNow().UtcTicks, Inherited.None);
        }
        catch (Exception exception)
        {
            run.Reject(position, KeyOrNull(@event, options), exception as PublishException
                ?? new PublishException($"The event at position {position} of the list was not published: {ExceptionText.MessageOf(exception)}", PublishFailure.Rejected, null, exception));
            return null;
        }
    }

    /// <summary>Returns the key of a rejected event; null if reading the key is what failed.</summary>
    private string? KeyOrNull(object? @event, PublishOptions? options)
    {
        try
        {
            return options?.Key ?? (@event is null ? null : KeyOf(Descriptor(@event), @event));
        }
        catch (Exception)
        {
            return null;
        }
    }

    private static string? TextOf(Exception? error) => error is null ? null : ExceptionText.MessageOf(error);

    private PublishException? Conclude(PublishOutcome outcome, Envelope envelope, EventDescriptor descriptor) => outcome.Status switch
    {
        PublishStatus.Accepted => null,
        PublishStatus.Unrouted => Unrouted(descriptor, envelope.Id),
        PublishStatus.Rejected => new PublishException($"The event '{envelope.Name}' {envelope.Id} cannot be published as it is: {TextOf(outcome.Error)}", PublishFailure.Rejected, envelope.Id, outcome.Error),
        PublishStatus.Failed => outcome.Error as PublishException
            ?? new PublishException($"The event '{envelope.Name}' {envelope.Id} was not accepted and reached no subscription: {TextOf(outcome.Error)}", PublishFailure.Failed, envelope.Id, outcome.Error),
        _ => outcome.Error as PublishException ?? InDoubt(envelope, outcome.Error),
    };

    private PublishException InDoubt(Envelope envelope, Exception? cause) => new(
        $"It is in doubt whether the event '{envelope.Name}' {envelope.Id} was accepted: {TextOf(cause) ?? $"{transport.Features.System} gave no answer."} "
        + $"To be sure, publish it again with PublishOptions.EventId = \"{envelope.Id}\", so that it can be recognised as the same event.{(durable ? "" : " In memory it is lost if this process ends.")}",
        PublishFailure.InDoubt, envelope.Id, cause);

    private Task EndUnrouted(EventDescriptor descriptor, string? eventId) =>
        Unrouted(descriptor, eventId) is { } problem ? Task.FromException(problem) : Task.CompletedTask;

    private PublishException? Unrouted(EventDescriptor descriptor, string? eventId)
    {
        diagnostics.Unrouted(descriptor.Name);
        if (descriptor.RequiresSubscriber)
        {
            return new PublishException(
                $"No subscription matches '{descriptor.Name}', and its type was declared with RequireSubscriber(). Subscribe to it, or correct the name or pattern of the subscription that should match.", PublishFailure.NoSubscriber, eventId);
        }

        if (descriptor.FirstUnrouted())
        {
            environment.Log.NoSubscription(descriptor.Name);
        }

        return null;
    }

    /// <summary>
    /// Contains the values that an event inherits from the event being handled, or from the saga that publishes it.
    /// </summary>
    private readonly record struct Inherited(Guid Id, string CorrelationId, string? CausationId, string? Key = null)
    {
        public static Inherited None => default;

        public bool IsAny => CorrelationId is not null;
    }
}
