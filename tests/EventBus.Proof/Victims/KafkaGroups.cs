using Confluent.Kafka;

namespace EventBus.Proof;

/// <summary>Configures topics and consumer groups for victims on Kafka, and for members that are no bus.</summary>
internal static class KafkaGroups
{
    /// <summary>The time after which the broker gives the partitions of a silent member to others.</summary>
    public static readonly TimeSpan SessionTime = TimeSpan.FromSeconds(6);

    private const int Partitions = 4;

    // The time after which a client gives up a connection on which nothing answers.
    private const int SilenceMilliseconds = 4_000;

    /// <summary>Returns the topic of the events whose names begin with a word.</summary>
    public static string TopicOf(string word) => $"{word}-events";

    /// <summary>Returns the group of a subscription.</summary>
    /// <param name="subscription">Its name with the name of the application, as <c>service:subscription</c>.</param>
    public static string GroupOf(string subscription) => subscription.Replace(':', '.');

    /// <summary>
    /// Configures any client: that of a bus, and that of the raw consumer with which a bus is compared.
    /// </summary>
    public static void Configure(ClientConfig config) => config.SocketTimeoutMs = SilenceMilliseconds;

    /// <summary>Configures a bus. The session of its members is short, so that a kill costs seconds.</summary>
    public static void Configure(KafkaOptions options, VictimSettings settings)
    {
        options.ConfigureClient(Configure);
        (options.Partitions, options.SessionTimeout) = (Partitions, SessionTime);
        options.GroupProtocol = settings.KafkaGroup == "consumer" ? KafkaGroupProtocol.Consumer : KafkaGroupProtocol.Classic;
        options.Assignor = settings.KafkaGroup == "range" ? KafkaAssignor.Range : KafkaAssignor.CooperativeSticky;
    }

    /// <summary>Configures a consumer that joins the group of a bus.</summary>
    public static void Configure(ConsumerConfig config, VictimSettings settings)
    {
        if (settings.KafkaGroup == "consumer")
        {
            config.GroupProtocol = GroupProtocol.Consumer;
            return;
        }

        config.SessionTimeoutMs = (int)SessionTime.TotalMilliseconds;
        config.PartitionAssignmentStrategy =
            settings.KafkaGroup == "range" ? PartitionAssignmentStrategy.Range : PartitionAssignmentStrategy.CooperativeSticky;
    }
}
