namespace EventBus.RabbitMq.Tests;

/// <summary>Shows that a queue name which RabbitMQ does not accept is an error at the start.</summary>
public sealed class QueueNameTests
{
    [Theory]
    [InlineData(154, false, null)]
    [InlineData(155, false, "256 bytes")]
    [InlineData(146, true, null)]
    [InlineData(147, true, "256 bytes")]
    public void CheckNames_LengthOfService_IsAnErrorThatNamesBytesAndLimit(int length, bool keepsFailures, string? bytes)
    {
        var topology = new RabbitMqTopology(new string('s', length), new RabbitMqOptions());
        string[] subscriptions = ["mail", new string('n', 100)];

        var error = Record.Exception(() => topology.CheckNames(subscriptions, keepsFailures));

        if (bytes is null)
        {
            Assert.Null(error);
            return;
        }

        var problem = Assert.Single(Assert.IsType<EventBusConfigurationException>(error).Problems);
        Assert.Contains($"would have {bytes}, and RabbitMQ allows 255", problem, StringComparison.Ordinal);
        Assert.Contains("EventBusOptions.ServiceName", problem, StringComparison.Ordinal);
    }
}
