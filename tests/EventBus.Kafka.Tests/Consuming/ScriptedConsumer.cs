using System.Reflection;
using Confluent.Kafka;

namespace EventBus.Kafka.Tests;

/// <summary>A client that reads nothing, and records what it is asked to do.</summary>
public class ScriptedConsumer : DispatchProxy
{
    /// <summary>The names of the methods that were called, in order.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>The offsets of the first and the next record; null if the cluster does not answer.</summary>
    public WatermarkOffsets? Log { get; set; }

    /// <summary>The position of the group; null if the cluster does not answer.</summary>
    public long? Position { get; set; } = 3;

    public static (IConsumer<byte[]?, byte[]?> Client, ScriptedConsumer Script) Create(long end)
    {
        var client = Create<IConsumer<byte[]?, byte[]?>, ScriptedConsumer>();
        var script = (ScriptedConsumer)(object)client;
        script.Log = new WatermarkOffsets(0, end);
        return (client, script);
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        Calls.Add(targetMethod!.Name);
        return targetMethod.Name switch
        {
            nameof(IConsumer<,>.QueryWatermarkOffsets) => Log ?? throw new KafkaException(ErrorCode.Local_TimedOut),
            nameof(IConsumer<,>.Committed) => new List<TopicPartitionOffset>
            {
                new("order-events", 0, Position ?? throw new KafkaException(ErrorCode.Local_TimedOut)),
            },
            _ => null,
        };
    }
}
