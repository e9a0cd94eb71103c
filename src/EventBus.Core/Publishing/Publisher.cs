namespace EventBus;

/// <summary>Publishes the events of the application. Thread-safe.</summary>
internal sealed class Publisher
{
    private readonly EnvelopeFactory envelopes;
    private readonly EventSender sender;
    private readonly ObservedSender observed;
    private readonly ListPublisher lists;
    private readonly TimeProvider time;
    private readonly BusDiagnostics diagnostics;

    public Publisher(EnvelopeFactory envelopes, EventSender sender, ObservedSender observed, ListPublisher lists, BusServices services)
    {
        this.envelopes = envelopes;
        this.sender = sender;
        this.observed = observed;
        this.lists = lists;
        time = services.Time;
        diagnostics = services.Diagnostics;
    }

    public Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled(cancellationToken);
        }

        var descriptor = envelopes.DescriptorOf(@event);
        if (!envelopes.SerializesAll && !sender.MayHaveSubscribers(descriptor.Name))
        {
            // Nothing receives the event. It is created nevertheless if there are options, which must be checked and
            // may contain a delay, unless a missing subscriber is an error.
            if (options is null || descriptor.RequiresSubscriber)
            {
                return sender.EndUnrouted(descriptor);
            }
        }

        var now = time.GetUtcNow().UtcTicks;
        var envelope = envelopes.Create(descriptor, @event, options, now);
        var isSimple = options is null or { Timeout: null, NotBefore: null, Delay: null } && !diagnostics.ObservesPublish;
        return isSimple
            ? sender.SendAsync(envelope, now, cancellationToken)
            : observed.SendAsync(envelope, options?.Timeout, cancellationToken);
    }

    public Task PublishManyAsync<TEvent>(IReadOnlyList<TEvent> list, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull => lists.PublishAsync(list, options, cancellationToken);
}
