using System.Reflection;
using Xunit.v3;

namespace EventBus.Kafka.Tests;

/// <summary>Skips the tests of a class, with the reason, where no Kafka can be had.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class NeedsBrokerAttribute : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test) =>
        Assert.SkipWhen(TestBroker.Missing is not null, $"The test needs a Kafka broker: {TestBroker.Missing}.");
}
