using System.Diagnostics.CodeAnalysis;
using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Gives the parts of a transport what they share: settings, the administration client, clock and log.
/// </summary>
internal sealed class KafkaConnector : IAsyncDisposable
{
    private const string ClientAssembly = "Confluent.Kafka";

    /// <summary>Creates the connector. Nothing is connected yet.</summary>
    /// <param name="options">The options.</param>
    /// <param name="registered">The settings of the client that the application registers; null for none.</param>
    /// <param name="logs">Creates the log; null for none.</param>
    /// <param name="time">The clock; null for that of the system.</param>
    /// <exception cref="ArgumentException">The connection string is invalid.</exception>
    // The client finds its native functions by reflection, which trimming would remove.
    [DynamicDependency(DynamicallyAccessedMemberTypes.All, "Confluent.Kafka.Impl.NativeMethods.NativeMethods", ClientAssembly)]
    [DynamicDependency(DynamicallyAccessedMemberTypes.All, "Confluent.Kafka.Impl.NativeMethods.NativeMethods_Alpine", ClientAssembly)]
    [DynamicDependency(DynamicallyAccessedMemberTypes.All, "Confluent.Kafka.Impl.NativeMethods.NativeMethods_Centos8", ClientAssembly)]
    public KafkaConnector(KafkaOptions options, ClientConfig? registered = null, ILoggerFactory? logs = null, TimeProvider? time = null)
    {
        Time = time ?? TimeProvider.System;
        Log = BackendLog.Create(logs, "EventBus.Kafka", Time);
        Settings = new KafkaClientSettings(options, registered);
        Admin = new KafkaAdmin(Settings, Time, Log);
    }

    public KafkaOptions Options => Settings.Options;

    public KafkaClientSettings Settings { get; }

    public KafkaAdmin Admin { get; }

    public ILogger Log { get; }

    public TimeProvider Time { get; }

    /// <summary>The addresses of the brokers, for errors.</summary>
    public string Address => Settings.Address;

    public ValueTask DisposeAsync() => Admin.DisposeAsync();
}
