using Confluent.Kafka;
using EventBus.Conformance;

namespace EventBus.Kafka.Tests;

/// <summary>The real broker of the tests, and unique names on it.</summary>
internal static class TestBroker
{
    /// <summary>The deadline of waits.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The reason why there is no Kafka on this machine; null if there is one.</summary>
    public static string? Missing { get; } = Environment.GetEnvironmentVariable("EVENTBUS_TEST_KAFKA_MISSING") is { Length: > 0 } reason
        ? reason
        : null;

    /// <summary>The address of the broker. Clients need the password of <see cref="SignIn"/>.</summary>
    public static string Address => Environment.GetEnvironmentVariable("EVENTBUS_TEST_KAFKA") is { Length: > 0 } address
        ? address
        : throw new InvalidOperationException(
            "The environment variable EVENTBUS_TEST_KAFKA names no broker. Run ./test Kafka, which starts one.");

    /// <summary>Returns a name that no other test uses.</summary>
    public static string NewName() => $"t{Guid.NewGuid():N}"[..16];

    /// <summary>Sets the user and the password of the test brokers.</summary>
    public static void SignIn(ClientConfig config) =>
        (config.SecurityProtocol, config.SaslMechanism, config.SaslUsername, config.SaslPassword) =
        (SecurityProtocol.SaslPlaintext, SaslMechanism.Plain, "bus", Canary.Password);

    /// <summary>Returns the settings of a client that is not under test.</summary>
    public static T Config<T>(string? address = null)
        where T : ClientConfig, new()
    {
        var config = new T { BootstrapServers = address ?? Address };
        SignIn(config);
        return config;
    }
}
