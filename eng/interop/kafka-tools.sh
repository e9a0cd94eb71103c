# Kafka with the tools of the broker, which are written in Java. The folder of their scripts is in the PATH, where they
# end in .sh in a release of Kafka. $address is the broker, $settings a file with the settings of the client.

case $1 in
  publish)
    order=$2
    #region publish
    printf 'type=order.placed\t%s\n' "$order" |
      kafka-console-producer --bootstrap-server "$address" --command-config "$settings" --topic order-events \
        --reader-property parse.headers=true --reader-property headers.key.separator==
    #endregion
    ;;
  publish-cloudevent)
    order=$2 id=$3 source=$4 time=$5 key=$6 tenant=$7
    #region publish-cloudevent
    printf 'content-type=application/json,ce_specversion=1.0,ce_id=%s,ce_type=order.placed,ce_source=%s,ce_time=%s,tenant=%s\t%s\t%s\n' \
        "$id" "$source" "$time" "$tenant" "$key" "$order" |
      kafka-console-producer --bootstrap-server "$address" --command-config "$settings" --topic order-events \
        --reader-property parse.headers=true --reader-property headers.key.separator== --reader-property parse.key=true
    #endregion
    ;;
  consume)
    #region consume
    kafka-console-consumer --bootstrap-server "$address" --command-config "$settings" --topic order-events --group java.orders \
      --from-beginning --formatter-property print.headers=true --formatter-property print.key=true
    #endregion
    ;;
esac
