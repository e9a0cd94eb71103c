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
        (this.envelopes, this.sender, this.observed, this.lists) = (envelopes, sender, observed, lists);
        (time, diagnostics) = (services.Time, services.Diagnostics);
    }

    public Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled(cancellationToken);
        }

        var descriptor = envelopes.DescriptorOf(@event);
        if (!sender.MayHaveSubscribers(descriptor.Name) && (options is null || descriptor.RequiresSubscriber) && !envelopes.SerializesAll)
        {
            return sender.EndUnrouted(descriptor);
        }

        var now = time.GetUtcNow().UtcTicks;
        var envelope = envelopes.Create(descriptor, @event, options, now);
        var needsMore = options is { Timeout: not null } or { NotBefore: not null } or { Delay: not null } || diagnostics.ObservesPublish;
        return needsMore
            ? observed.SendAsync(envelope, options?.Timeout, cancellationToken)
            : sender.SendAsync(envelope, now, cancellationToken);
    }

    public Task PublishManyAsync<TEvent>(IReadOnlyList<TEvent> list, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull => lists.PublishAsync(list, options, cancellationToken);
}
