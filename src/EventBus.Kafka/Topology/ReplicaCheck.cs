using System.Globalization;
using Confluent.Kafka.Admin;

namespace EventBus;

/// <summary>Finds replicated topics that accept an event when only one broker has it.</summary>
internal static class ReplicaCheck
{
    private const string Setting = "min.insync.replicas";

    // With fewer copies the setting would stop publishing as soon as one broker is away.
    private const int ReplicatedFrom = 3;

    /// <summary>Describes the topics that lose accepted events with one broker.</summary>
    /// <param name="admin">The administration client.</param>
    /// <param name="topics">The topics that exist.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Empty if there are none, or if this user may not read the settings of topics.</returns>
    public static async Task<IReadOnlyList<string>> FindAsync(
        KafkaAdmin admin, IEnumerable<TopicDescription> topics, CancellationToken cancellationToken)
    {
        var replicated = topics
            .Where(topic => topic.Partitions.Count > 0 && topic.Partitions.Min(partition => partition.Replicas.Count) >= ReplicatedFrom)
            .Select(topic => new ConfigResource { Name = topic.Name, Type = ResourceType.Topic })
            .ToList();
        if (replicated.Count == 0)
        {
            return [];
        }

        try
        {
            var settings = await admin.CallAsync(
                (client, timeout) => client.DescribeConfigsAsync(replicated, new DescribeConfigsOptions { RequestTimeout = timeout }),
                cancellationToken);
            return [.. settings.Where(IsOne).Select(each => TopicProblems.OneReplicaIsEnough(each.ConfigResource.Name))];
        }
        catch (Exception exception) when (KafkaErrors.IsCallFailure(exception))
        {
            return [];
        }
    }

    private static bool IsOne(DescribeConfigsResult topic) =>
        topic.Entries.TryGetValue(Setting, out var entry)
            && int.TryParse(entry.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var replicas)
            && replicas == 1;
}
