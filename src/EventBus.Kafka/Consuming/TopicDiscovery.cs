using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Finds the topics of a subscription, also those that appear later if one of its patterns begins with a wildcard.
/// </summary>
/// <param name="context">What the receiver is for.</param>
internal sealed class TopicDiscovery(ReceiverContext context)
{
    private volatile IReadOnlyList<string> topics = context.Names.TopicsOf(context.Subscription);

    /// <summary>The topics to read, in their order.</summary>
    public IReadOnlyList<string> Topics => topics;

    /// <summary>True if topics that appear later are to be read too.</summary>
    public bool IsNeeded { get; } = KafkaTopology.IsOpen(context.Subscription);

    /// <summary>Reads the list of topics.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The topics of the subscription that exist, with their partitions.</returns>
    public async Task<IReadOnlyList<TopicMetadata>> FindAsync(CancellationToken cancellationToken)
    {
        var known = context.Names.TopicsOf(context.Subscription).ToHashSet(StringComparer.Ordinal);
        var found = (await context.Connector.Admin.ReadTopicsAsync(cancellationToken))
            .Where(topic => !topic.Error.IsError && (known.Contains(topic.Topic) || (IsNeeded && context.Names.IsEventTopic(topic.Topic))))
            .ToArray();
        var names = known.Concat(topics).Concat(found.Select(topic => topic.Topic));
        string[] all = [.. names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        if (!all.SequenceEqual(topics))
        {
            topics = all;
        }

        return found;
    }
}
