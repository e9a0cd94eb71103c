using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the reports about records that were gone before a subscription read them, until the bus has stored each as a
/// dead letter, with its alert. Thread-safe.
/// </summary>
/// <param name="subscription">The subscription.</param>
internal sealed class LostRanges(string subscription) : IDeliverySettler
{
    // More of them in one process are only logged and counted.
    private const int MaxHeld = 1_000;

    private readonly ConcurrentDictionary<long, Envelope> held = new();
    private readonly ConcurrentQueue<long> waiting = new();
    private long last;

    /// <summary>Adds a report. The same loss has the same id, also after a restart.</summary>
    /// <param name="id">The id of the dead letter's event.</param>
    /// <param name="name">Its name.</param>
    /// <param name="what">What is gone, as a sentence without its full stop.</param>
    public void Add(string id, string name, string what)
    {
        if (held.Count >= MaxHeld)
        {
            return;
        }

        var number = Interlocked.Increment(ref last);
        held[number] = new Envelope(
            new EnvelopeAttributes
            {
                Id = id,
                Name = name,
                Defect = $"This stands for events that are gone, and cannot be handled: {what}. Discard it.",
            },
            []);
        waiting.Enqueue(number);
    }

    /// <summary>Takes the next report; null if there is none.</summary>
    public BrokerDeadLetter? Take() => waiting.TryDequeue(out var number) && held.TryGetValue(number, out var envelope)
        ? new BrokerDeadLetter(subscription, DeadLetterReason.DroppedByBroker, envelope.Defect!, new Delivery(envelope, this, number))
        : null;

    public ValueTask AckAsync(in Delivery delivery)
    {
        held.TryRemove(delivery.Token, out _);
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        waiting.Enqueue(delivery.Token);
        return ValueTask.CompletedTask;
    }
}
