using System.Globalization;
using Confluent.Kafka.Admin;

namespace EventBus;

/// <summary>
/// Finds replicated topics that accept an event when only one broker has it, and topics that take less than the client
/// sends at once.
/// </summary>
internal static class TopicSettingsCheck
{
    private const string Replicas = "min.insync.replicas";
    private const string Bytes = "max.message.bytes";

    // With fewer copies the setting would stop publishing as soon as one broker is away.
    private const int ReplicatedFrom = 3;

    /// <summary>Describes the topics whose settings lose or refuse events.</summary>
    /// <param name="admin">The administration client.</param>
    /// <param name="topics">The topics that exist.</param>
    /// <param name="maxRecordBytes">The size up to which the client sends records together.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Empty if there are none, or if this user may not read the settings of topics.</returns>
    public static async Task<IReadOnlyList<string>> FindAsync(
        KafkaAdmin admin, IReadOnlyCollection<TopicDescription> topics, int maxRecordBytes, CancellationToken cancellationToken)
    {
        if (topics.Count == 0)
        {
            return [];
        }

        var resources = topics.Select(topic => new ConfigResource { Name = topic.Name, Type = ResourceType.Topic }).ToList();
        var replicated = topics
            .Where(topic => topic.Partitions.Count > 0 && topic.Partitions.Min(partition => partition.Replicas.Count) >= ReplicatedFrom)
            .Select(topic => topic.Name)
            .ToHashSet(StringComparer.Ordinal);

        try
        {
            var settings = await admin.CallAsync(
                (client, timeout) => client.DescribeConfigsAsync(resources, new DescribeConfigsOptions { RequestTimeout = timeout }),
                cancellationToken);
            return
            [
                .. settings.Where(each => replicated.Contains(each.ConfigResource.Name) && ValueOf(each, Replicas) == 1)
                    .Select(each => TopicProblems.OneReplicaIsEnough(each.ConfigResource.Name)),
                .. settings.Where(each => ValueOf(each, Bytes) < maxRecordBytes)
                    .Select(each => TopicProblems.TakesLess(each.ConfigResource.Name, ValueOf(each, Bytes)!.Value, maxRecordBytes)),
            ];
        }
        catch (Exception exception) when (KafkaErrors.IsCallFailure(exception))
        {
            return [];
        }
    }

    private static int? ValueOf(DescribeConfigsResult topic, string setting) =>
        topic.Entries.TryGetValue(setting, out var entry)
            && int.TryParse(entry.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
