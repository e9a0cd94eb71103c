namespace EventBus.Kafka.Tests;

/// <summary>Tests which topics hold the events of an application, and which of them a subscription reads.</summary>
public sealed class KafkaTopologyTests
{
    [Fact]
    public void TopicOf_AnEvent_IsThatOfItsFirstWord() => Assert.Equal("order-events", Records.Names().TopicOf("order.line.added"));

    [Fact]
    public void TopicOf_AMappedWord_IsTheMappedTopic()
    {
        var options = new KafkaOptions { TopicFormat = "x.{word}", Topics = { ["order"] = "shop.orders.v1" } };

        Assert.Equal("shop.orders.v1", Records.Names(options).TopicOf("order.placed"));
        Assert.Equal("x.payment", Records.Names(options).TopicOf("payment.failed"));
    }

    [Theory]
    [InlineData("order-events", true)]
    [InlineData("order-line-events", true)]
    [InlineData("shop.orders.v1", true)]
    [InlineData("legacy", true)]
    [InlineData("payment-events", false)]
    [InlineData("-events", false)]
    [InlineData("Order-events", false)]
    [InlineData("a.b-events", false)]
    [InlineData("events", false)]
    [InlineData("__consumer_offsets", false)]
    public void IsEventTopic_OfOurFormOrMapped_IsTrue(string topic, bool expected)
    {
        // The word 'payment' has a topic of its own, so that of the format is no topic of events.
        var options = new KafkaOptions { Topics = { ["payment"] = "shop.orders.v1" } };
        options.FromTopic("legacy").NamedByProperty("type");

        Assert.Equal(expected, Records.Names(options).IsEventTopic(topic));
    }

    [Fact]
    public void TopicsOf_PatternsWithWords_AreThoseOfTheWords()
    {
        var subscription = Records.Subscription("s", "order.placed", "order.#", "payment.*");

        Assert.Equal(["order-events", "payment-events"], Records.Names(null, subscription).TopicsOf(subscription));
        Assert.False(KafkaTopology.IsOpen(subscription));
    }

    [Fact]
    public void TopicsOf_AnOpenSubscription_AreAllThatTheApplicationKnows()
    {
        var open = Records.Subscription("all", "#");
        var options = new KafkaOptions { Topics = { ["payment"] = "shop.payments" } };
        options.FromTopic("legacy").NamedByProperty("type");
        var names = Records.Names(options, open, Records.Subscription("mail", "stock.low"));

        Assert.True(KafkaTopology.IsOpen(open));
        Assert.Equal(["legacy", "order-events", "shop.payments", "stock-events"], names.TopicsOf(open));
    }

    [Fact]
    public void TopicsOf_AForeignTopicOfOneName_IsReadByThoseWhoWantTheName()
    {
        var options = new KafkaOptions().FromTopic("legacy").Named("order.placed");
        var names = Records.Names(options);

        Assert.Equal(["legacy", "order-events"], names.TopicsOf(Records.Subscription("s", "order.*")));
        Assert.Equal(["order-events"], names.TopicsOf(Records.Subscription("s", "order.paid")));
    }

    [Fact]
    public void IsNamed_TopicThatWasOnlyFound_IsFalse()
    {
        var names = Records.Names();

        Assert.True(names.IsNamed(Records.Subscription("s", "order.placed"), "order-events"));
        Assert.False(names.IsNamed(Records.Subscription("s", "#"), "order-events"));
    }

    [Fact]
    public void RequiredTopics_OfAnApplication_AreThoseOfItsSubscriptionsAndEvents() =>
        Assert.Equal(
            ["order-events", "payment-events"],
            Records.Names(null, Records.Subscription("s", "payment.#")).RequiredTopics);

    [Theory]
    [InlineData("Order", "orders")]
    [InlineData("order.placed", "orders")]
    [InlineData("order", "")]
    [InlineData("order", "..")]
    [InlineData("order", "my orders")]
    public void Check_WordOrTopicThatIsNone_IsAnErrorThatNamesTheOption(string word, string topic)
    {
        var options = new KafkaOptions { Topics = { [word] = topic } };

        var error = Assert.Throws<ArgumentException>(() => KafkaTopicNames.Check(options));

        Assert.Contains("KafkaOptions.Topics has the ", error.Message, StringComparison.Ordinal);
    }
}
