namespace EventBus.Kafka.Tests;

/// <summary>Tests the addresses of brokers.</summary>
public sealed class KafkaConnectionStringTests
{
    [Theory]
    [InlineData("localhost", "localhost:9092")]
    [InlineData("localhost:19092", "localhost:19092")]
    [InlineData("a.example:1, b.example:2", "a.example:1,b.example:2")]
    [InlineData("10.0.0.1:9092,", "10.0.0.1:9092")]
    [InlineData("[::1]:9092", "[::1]:9092")]
    [InlineData("[::1]", "[::1]:9092")]
    public void Parse_Addresses_HavePorts(string text, string expected) => Assert.Equal(expected, KafkaConnectionString.Parse(text));

    [Theory]
    [InlineData(",")]
    [InlineData("localhost:none")]
    [InlineData("localhost:0")]
    [InlineData("localhost:65536")]
    [InlineData("user:s3cret@localhost:9092")]
    [InlineData("kafka://localhost:9092?password=s3cret")]
    [InlineData("localhost:9092;sasl.password=s3cret")]
    public void Parse_AnythingElse_IsAnErrorWithoutTheText(string text)
    {
        var error = Assert.Throws<ArgumentException>(() => KafkaConnectionString.Parse(text));

        Assert.Contains("host1:9092,host2:9092", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
    }
}
